// Each row of x in place: e^x, divided by the row's sum of them. A workgroup for each row, in vectors of
// four; what fills the last vector of a row stays 0.

struct Params {
  numRows: u32,
  numCols: u32,
  rowLength: u32,
  x: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;

// The lowest float32: an infinity may not be written down.
const lowest = -0x1.fffffep+127f;

var<workgroup> partialSums: array<vec4<f32>, 64>;
var<workgroup> partialMaxima: array<f32, 64>;

fn sumOverWorkgroup(value: vec4<f32>, lane: u32) -> vec4<f32> {
  partialSums[lane] = value;
  for (var half = 32u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) {
      partialSums[lane] += partialSums[lane + half];
    }
  }
  return workgroupUniformLoad(&partialSums[0]);
}

fn maxOverWorkgroup(value: f32, lane: u32) -> f32 {
  partialMaxima[lane] = value;
  for (var half = 32u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) {
      partialMaxima[lane] = max(partialMaxima[lane], partialMaxima[lane + half]);
    }
  }
  return workgroupUniformLoad(&partialMaxima[0]);
}

// Which numbers of a row's vector are columns.
fn isColumn(i: u32) -> vec4<bool> {
  return 4u * i + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(params.numCols);
}

@compute @workgroup_size(64) fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.numRows) {
    return;
  }
  let first = params.x + row * params.rowLength;
  var largest = vec4<f32>(lowest);
  for (var i = lane; i < params.rowLength; i += 64u) {
    largest = max(largest, select(vec4<f32>(lowest), x[first + i], isColumn(i)));
  }
  let peak = maxOverWorkgroup(max(max(largest.x, largest.y), max(largest.z, largest.w)), lane);
  var sums = vec4<f32>(0.0);
  for (var i = lane; i < params.rowLength; i += 64u) {
    // e^-104 is 0 in float32; a lower power may not be asked for.
    let power = exp(max(x[first + i] - peak, vec4<f32>(-104.0)));
    let counted = select(vec4<f32>(0.0), power, isColumn(i));
    x[first + i] = counted;
    sums += counted;
  }
  let total = dot(sumOverWorkgroup(sums, lane), vec4<f32>(1.0));
  for (var i = lane; i < params.rowLength; i += 64u) {
    x[first + i] /= total;
  }
}
