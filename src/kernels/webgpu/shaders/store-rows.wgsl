// pool[slots[i]] = x[i] in vectors of four.

struct Params {
  count: u32,
  rowLength: u32,
  x: u32,
  slots: u32,
  pool: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> pool: array<vec4<f32>>;

@compute @workgroup_size(64) fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = 64u * (group.y * groups.x + group.x) + lane;
  if (i >= params.count) {
    return;
  }
  let slot = indices[params.slots + i / params.rowLength];
  pool[params.pool + slot * params.rowLength + i % params.rowLength] = x[params.x + i];
}
