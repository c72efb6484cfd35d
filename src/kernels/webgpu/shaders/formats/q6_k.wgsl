// Q6_K. Planes: a scale in float16 for a block of 256; a scale in int8 for each 16; the codes' low four
// bits; their high two. Codes are 32 more than they stand for.

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

// In a half of a block, word p of the low bits holds columns 4 · p + 0…3 and those 64 further on; words p
// of 8 of the high bits belong to columns 4 · p + 0…3 and those 32, 64 and 96 further on.
fn decodeOctet(at: u32) -> Octet {
  let block = at >> 5u;
  let halfBlock = (at >> 4u) & 1u;
  let part = at & 15u;
  let second = part >> 3u;
  let low4 = weights[params.planes.z + at];
  let high2 = weights[params.planes.w + 16u * block + 8u * halfBlock + (part & 7u)] >> (2u * second);
  let low = numbersOf((low4 & 0x0f0f0f0fu) | ((high2 & 0x03030303u) << 4u), 0u, 0x3fu, 32.0);
  let high = numbersOf(((low4 >> 4u) & 0x0f0f0f0fu) | (high2 & 0x30303030u), 0u, 0x3fu, 32.0);
  // Of a half's eight scales, those of columns 4 · part and 64 further on.
  let scaleByte = part >> 2u;
  let scaleWord = params.planes.y + 4u * block + 2u * halfBlock;
  let small = vec2<f32>(
    signedByte(weights[scaleWord], scaleByte),
    signedByte(weights[scaleWord + 1u], scaleByte),
  );
  return Octet(low, high, half(params.planes.x, block) * small, vec2<f32>(0.0));
}

fn signedByte(bytes: u32, at: u32) -> f32 {
  return f32(extractBits(bitcast<i32>(bytes), 8u * at, 8u));
}

fn columnsOf(octet: u32) -> vec2<u32> {
  let first = 32u * (octet >> 4u) + (octet & 15u);
  return vec2<u32>(first, first + 16u);
}
