// gate = silu(gate) · up in vectors of four, with silu(x) = x / (1 + e⁻ˣ).

struct Params {
  count: u32,
  gate: u32,
  up: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> up: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> gate: array<vec4<f32>>;

@compute @workgroup_size(64) fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = 64u * (group.y * groups.x + group.x) + lane;
  if (i >= params.count) {
    return;
  }
  let x = gate[params.gate + i];
  // Only falling powers, so that none overflows: WGSL leaves open what follows. e^-104 is 0 in float32.
  let power = exp(max(-abs(x), vec4<f32>(-104.0)));
  let sigmoid = select(power, vec4<f32>(1.0), x >= vec4<f32>(0.0)) / (1.0 + power);
  gate[params.gate + i] = x * sigmoid * up[params.up + i];
}
