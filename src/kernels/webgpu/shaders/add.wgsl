// x += y in vectors of four; a yStride of 0 adds the same row to all.

struct Params {
  count: u32,
  rowLength: u32,
  x: u32,
  y: u32,
  yStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4<f32>>;

@compute @workgroup_size(64) fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = 64u * (group.y * groups.x + group.x) + lane;
  if (i >= params.count) {
    return;
  }
  let row = i / params.rowLength;
  x[params.x + i] += y[params.y + row * params.yStride + i % params.rowLength];
}
