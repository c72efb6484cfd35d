// Weights in bfloat16: the upper halves of float32.

struct Params {
  planes: vec4<u32>,
}

struct Octet {
  low: vec4<f32>,
  high: vec4<f32>,
  scale: vec2<f32>,
  offset: vec2<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;

fn decodeOctet(at: u32) -> Octet {
  let bits = weights[(params.planes.x >> 2u) + at];
  let first = bits << vec4<u32>(16u);
  let second = bits & vec4<u32>(0xffff0000u);
  let low = bitcast<vec4<f32>>(vec4<u32>(first.x, second.x, first.y, second.y));
  let high = bitcast<vec4<f32>>(vec4<u32>(first.z, second.z, first.w, second.w));
  return Octet(low, high, vec2<f32>(1.0), vec2<f32>(0.0));
}

fn columnsOf(octet: u32) -> vec2<u32> {
  return vec2<u32>(2u * octet, 2u * octet + 1u);
}
