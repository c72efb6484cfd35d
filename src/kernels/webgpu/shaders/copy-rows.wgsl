// pool[to[i]] = pool[from[i]] in vectors of four words; the numbers of `to` lie behind those of `from`.

struct Params {
  count: u32,
  rowLength: u32,
  numRows: u32,
  slots: u32,
  pool: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> pool: array<vec4<u32>>;

@compute @workgroup_size(64) fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = 64u * (group.y * groups.x + group.x) + lane;
  if (i >= params.count) {
    return;
  }
  let at = params.slots + i / params.rowLength;
  let column = params.pool + i % params.rowLength;
  let source = indices[at] * params.rowLength + column;
  pool[indices[at + params.numRows] * params.rowLength + column] = pool[source];
}
