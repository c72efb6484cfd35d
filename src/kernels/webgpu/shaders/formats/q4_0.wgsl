// Q4_0. Planes: a scale in float16 for a block of 32; codes of 4 bits, 8 more than they stand for.

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
@group(0) @binding(1) var<storage, read> weights: array<u32>;

// Two float16 as float32.
fn halvesOf(bits: u32) -> vec2<f32> {
  return unpack2x16float(bits);
}

// The float16 with this number in a plane.
fn half(plane: u32, at: u32) -> f32 {
  return halvesOf(weights[plane + (at >> 1u)])[at & 1u];
}

// The fields of four bytes that `mask` leaves after a shift, less `zero`. Below 2²³ a whole number is the
// low bits of the float32 that is 2²³ larger: one operation, where a conversion takes a GPU four.
fn numbersOf(bytes: u32, shift: u32, mask: u32, zero: f32) -> vec4<f32> {
  let fields = (vec4<u32>(bytes) >> (vec4<u32>(0u, 8u, 16u, 24u) + shift)) & vec4<u32>(mask);
  return bitcast<vec4<f32>>(fields | vec4<u32>(0x4b000000u)) - (8388608.0 + zero);
}

fn decodeOctet(at: u32) -> Octet {
  let scale = half(params.planes.x, at >> 2u);
  let codes = weights[params.planes.y + at];
  let low = numbersOf(codes, 0u, 0xfu, 8.0);
  let high = numbersOf(codes, 4u, 0xfu, 8.0);
  return Octet(low, high, vec2<f32>(scale), vec2<f32>(0.0));
}

// A block's word holds columns 4 · part + 0…3 in its low halves, and those 16 further on in its high ones.
fn columnsOf(octet: u32) -> vec2<u32> {
  let first = 8u * (octet >> 2u) + (octet & 3u);
  return vec2<u32>(first, first + 4u);
}
