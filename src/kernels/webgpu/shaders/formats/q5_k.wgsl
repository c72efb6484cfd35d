// Q5_K. Planes: those of Q4_K, and the codes' fifth bits: bit s of byte l belongs to column 32 · s + l.

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

// The fields of four bytes that `mask` leaves after a shift, less `zero`. Below 2²³ a whole number is the
// low bits of the float32 that is 2²³ larger: one operation, where a conversion takes a GPU four.
fn numbersOf(bytes: u32, shift: u32, mask: u32, zero: f32) -> vec4<f32> {
  let fields = (vec4<u32>(bytes) >> (vec4<u32>(0u, 8u, 16u, 24u) + shift)) & vec4<u32>(mask);
  return bitcast<vec4<f32>>(fields | vec4<u32>(0x4b000000u)) - (8388608.0 + zero);
}

// The scales and offsets of two neighbouring sub-blocks of 32.
fn affineOf(at: u32) -> vec4<f32> {
  let whole = halvesOf(weights[params.planes.x + (at >> 5u)]);
  let small = numbersOf(weights[params.planes.y + (at >> 3u)], 0u, 0xffu, 0.0);
  return vec4<f32>(whole.x * small.xy, -whole.y * small.zw);
}

fn decodeOctet(at: u32) -> Octet {
  let affine = affineOf(at);
  let codes = weights[params.planes.z + at];
  let fifth = weights[params.planes.w + 8u * (at >> 5u) + (at & 7u)] >> (2u * ((at >> 3u) & 3u));
  let low = numbersOf((codes & 0x0f0f0f0fu) | ((fifth & 0x01010101u) << 4u), 0u, 0x1fu, 0.0);
  let high = numbersOf(((codes >> 4u) & 0x0f0f0f0fu) | ((fifth & 0x02020202u) << 3u), 0u, 0x1fu, 0.0);
  return Octet(low, high, affine.xy, affine.zw);
}

// A word of the codes holds four columns in its low halves, and those 32 further on in its high ones.
fn columnsOf(octet: u32) -> vec2<u32> {
  let first = 16u * (octet >> 3u) + (octet & 7u);
  return vec2<u32>(first, first + 8u);
}
