// pool[slots[i]] = x[i] in float16, in vectors of four.

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
@group(0) @binding(3) var<storage, read_write> pool: array<vec2<u32>>;

// The bits of the nearest float16, halves to even; infinity beyond its range. WGSL's own conversion may
// round to either side.
fn halfBits(value: f32) -> u32 {
  let sign = (bitcast<u32>(value) >> 16u) & 0x8000u;
  let magnitude = bitcast<u32>(value) & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return 0x7e00u;
  }
  if (magnitude >= 0x47800000u) {
    return sign | 0x7c00u;
  }
  // Below 2⁻¹⁴ the step is 2⁻²⁴: that of a float32 from ½ on.
  if (magnitude < 0x38800000u) {
    return sign | (bitcast<u32>(abs(value) + 0.5) - 0x3f000000u);
  }
  return sign | (((magnitude + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u) - 0x1c000u);
}

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
  let value = x[params.x + i];
  let low = halfBits(value.x) | (halfBits(value.y) << 16u);
  let high = halfBits(value.z) | (halfBits(value.w) << 16u);
  pool[params.pool + slot * params.rowLength + i % params.rowLength] = vec2<u32>(low, high);
}
