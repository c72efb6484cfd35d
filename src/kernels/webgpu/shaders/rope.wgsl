// Turns pairs of columns of every head of x in place; an invocation turns one pair.

struct Params {
  numRows: u32,
  numHeads: u32,
  headDim: u32,
  numPairs: u32,
  // How far the columns of a pair are apart, and one pair from the next.
  pairDistance: u32,
  pairStep: u32,
  // In numbers.
  x: u32,
  xStride: u32,
  table: u32,
  tableStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(64) fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = 64u * (group.y * groups.x + group.x) + lane;
  let head = i / params.numPairs;
  let row = head / params.numHeads;
  if (row >= params.numRows) {
    return;
  }
  let pair = i % params.numPairs;
  let angle = params.table + row * params.tableStride + pair;
  let cosine = table[angle];
  let sine = table[angle + params.numPairs];
  let first = params.x + row * params.xStride + (head % params.numHeads) * params.headDim
    + pair * params.pairStep;
  let second = first + params.pairDistance;
  let a = x[first];
  let b = x[second];
  x[first] = a * cosine - b * sine;
  x[second] = a * sine + b * cosine;
}
