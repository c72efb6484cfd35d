// TQ2_0. Planes: a scale in float16 for a block of 256; codes of 2 bits, 1 more than they stand for.

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

// In a half of a block, word p of 8 holds columns 4 · p + 0…3 and those 32, 64 and 96 further on: two
// octets.
fn decodeOctet(at: u32) -> Octet {
  let scale = half(params.planes.x, at >> 5u);
  let codes = weights[params.planes.y + 8u * (at >> 4u) + (at & 7u)] >> (4u * ((at >> 3u) & 1u));
  let low = numbersOf(codes, 0u, 3u, 1.0);
  let high = numbersOf(codes, 2u, 3u, 1.0);
  return Octet(low, high, vec2<f32>(scale), vec2<f32>(0.0));
}

// A word of the codes holds four columns in its low halves, and those 32 further on in its high ones.
fn columnsOf(octet: u32) -> vec2<u32> {
  let first = 16u * (octet >> 3u) + (octet & 7u);
  return vec2<u32>(first, first + 8u);
}
