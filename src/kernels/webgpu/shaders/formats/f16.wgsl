// Weights in float16, as they are.

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

// Two float16 as float32.
fn halvesOf(bits: u32) -> vec2<f32> {
  return unpack2x16float(bits);
}

fn decodeOctet(at: u32) -> Octet {
  let bits = weights[(params.planes.x >> 2u) + at];
  let low = vec4<f32>(halvesOf(bits.x), halvesOf(bits.y));
  let high = vec4<f32>(halvesOf(bits.z), halvesOf(bits.w));
  return Octet(low, high, vec2<f32>(1.0), vec2<f32>(0.0));
}

fn columnsOf(octet: u32) -> vec2<u32> {
  return vec2<u32>(2u * octet, 2u * octet + 1u);
}
