// out = x · Wᵀ for few rows of x: a workgroup computes four outputs of one row of x. Weights in float32;
// a format's file has the functions for others.

struct Params {
  planes: vec4<u32>,
  numRows: u32,
  octetsPerRow: u32,
  // In vectors of four.
  x: u32,
  xStride: u32,
  // In numbers.
  out: u32,
  outStride: u32,
}

// Eight weights of a row: scale · code + offset, for two runs of four columns.
struct Octet {
  low: vec4<f32>,
  high: vec4<f32>,
  scale: vec2<f32>,
  offset: vec2<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

var<workgroup> partialSums: array<vec4<f32>, 64>;

// The octet with this number, counted through all rows.
fn decodeOctet(at: u32) -> Octet {
  let first = (params.planes.x >> 2u) + 2u * at;
  let low = bitcast<vec4<f32>>(weights[first]);
  let high = bitcast<vec4<f32>>(weights[first + 1u]);
  return Octet(low, high, vec2<f32>(1.0), vec2<f32>(0.0));
}

// The columns of a row's octet, in fours.
fn columnsOf(octet: u32) -> vec2<u32> {
  return vec2<u32>(2u * octet, 2u * octet + 1u);
}

fn dotOctet(at: u32, low: vec4<f32>, high: vec4<f32>, sums: vec2<f32>) -> f32 {
  let weight = decodeOctet(at);
  let products = vec2<f32>(dot(weight.low, low), dot(weight.high, high));
  return dot(weight.scale, products) + dot(weight.offset, sums);
}

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
  let firstRow = 4u * (group.y * groups.x + group.x);
  if (firstRow >= params.numRows) {
    return;
  }
  // Rows beyond the last are computed as the last and not stored.
  let rows = min(firstRow + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.numRows - 1u));
  let octets = rows * params.octetsPerRow;
  let xRow = params.x + group.z * params.xStride;
  var sums = vec4<f32>(0.0);
  for (var octet = lane; octet < params.octetsPerRow; octet += 64u) {
    let columns = columnsOf(octet);
    let low = x[xRow + columns.x];
    let high = x[xRow + columns.y];
    let columnSums = vec2<f32>(dot(low, vec4<f32>(1.0)), dot(high, vec4<f32>(1.0)));
    sums += vec4<f32>(
      dotOctet(octets.x + octet, low, high, columnSums),
      dotOctet(octets.y + octet, low, high, columnSums),
      dotOctet(octets.z + octet, low, high, columnSums),
      dotOctet(octets.w + octet, low, high, columnSums),
    );
  }
  let total = sumOverWorkgroup(sums, lane);
  if (lane < 4u && firstRow + lane < params.numRows) {
    out[params.out + group.z * params.outStride + firstRow + lane] = total[lane];
  }
}
