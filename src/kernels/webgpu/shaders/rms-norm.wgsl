// out[i] = x[i] / √(mean of x[i]² + epsilon) · weight: a workgroup for each row, in vectors of four.
// What fills the last vector of a row is 0 and stays so.

struct Params {
  numRows: u32,
  numCols: u32,
  rowLength: u32,
  x: u32,
  weight: u32,
  out: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

var<workgroup> partialSums: array<vec4<f32>, 64>;

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

@compute @workgroup_size(64) fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.numRows) {
    return;
  }
  let first = row * params.rowLength;
  var squares = vec4<f32>(0.0);
  for (var i = lane; i < params.rowLength; i += 64u) {
    let value = x[params.x + first + i];
    squares += value * value;
  }
  let total = dot(sumOverWorkgroup(squares, lane), vec4<f32>(1.0));
  let root = sqrt(total / f32(params.numCols) + params.epsilon);
  for (var i = lane; i < params.rowLength; i += 64u) {
    out[params.out + first + i] = x[params.x + first + i] / root * weight[params.weight + i];
  }
}
