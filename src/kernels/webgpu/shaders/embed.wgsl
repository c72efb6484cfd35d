// out[i] = W[ids[i]] for those of the ids that are rows of this part of W: an invocation decodes one
// octet. Weights in float32; a format's file has the functions for others.

struct Params {
  planes: vec4<u32>,
  // The rows of W that this part has.
  firstRow: u32,
  numRows: u32,
  octetsPerRow: u32,
  ids: u32,
  numIds: u32,
  // In vectors of four.
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
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

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

@compute @workgroup_size(64) fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = 64u * (group.y * groups.x + group.x) + lane;
  let i = item / params.octetsPerRow;
  if (i >= params.numIds) {
    return;
  }
  // An id below firstRow wraps around to a large number.
  let row = indices[params.ids + i] - params.firstRow;
  if (row >= params.numRows) {
    return;
  }
  let octet = item % params.octetsPerRow;
  let weight = decodeOctet(row * params.octetsPerRow + octet);
  let columns = params.out + i * params.outStride + columnsOf(octet);
  out[columns.x] = weight.scale.x * weight.low + weight.offset.x;
  out[columns.y] = weight.scale.y * weight.high + weight.offset.y;
}
