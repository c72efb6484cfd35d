// pool[slots[i]] = x[i] in blocks of 32 columns: Q8_0, or Q4_0 where `nibbles` is set. Eight invocations
// have a block, four columns each; the first of sixteen stores two blocks' scales, which are one word.
// Rounded as the reference does it, but WGSL's quotients may be 2.5 units in the last place off: where they
// are, a value in the middle of two codes may take the other one.

override nibbles: bool = false;

struct Params {
  numRows: u32,
  numBlocks: u32,
  // In vectors of four.
  x: u32,
  xStride: u32,
  slots: u32,
  // In words; codes begin behind a row's scales.
  pool: u32,
  poolStride: u32,
  codes: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> pool: array<u32>;

// The columns of eight blocks.
var<workgroup> columns: array<vec4<f32>, 64>;

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

// That of larger magnitude, the first of equals.
fn larger(a: f32, b: f32) -> f32 {
  return select(a, b, abs(b) > abs(a));
}

// The scale of the block whose columns begin at `first`: in Q4_0 the largest value becomes −8.
fn scaleOf(first: u32) -> f32 {
  var peak = 0.0;
  for (var i = first; i < first + 8u; i++) {
    let four = columns[i];
    peak = larger(peak, larger(larger(four.x, four.y), larger(four.z, four.w)));
  }
  return select(abs(peak) / 127.0, -0.125 * peak, nibbles);
}

// Four bytes as one word.
fn packed(bytes: vec4<u32>) -> u32 {
  return bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}

// The nearest whole numbers, halves away from zero.
fn codes8(steps: vec4<f32>) -> u32 {
  let whole = trunc(steps);
  let rest = select(vec4<f32>(0.0), sign(steps), abs(steps - whole) >= vec4<f32>(0.5));
  return packed(bitcast<vec4<u32>>(vec4<i32>(whole + rest)) & vec4<u32>(0xffu));
}

fn codes4(steps: vec4<f32>) -> u32 {
  return packed(min(vec4<u32>(15u), vec4<u32>(steps + 8.5)));
}

@compute @workgroup_size(64) fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // A row's last word of scales may have room for one block more.
  let quadsPerRow = 16u * ((params.numBlocks + 1u) / 2u);
  let item = 64u * (group.y * groups.x + group.x) + lane;
  let i = item / quadsPerRow;
  let quad = item % quadsPerRow;
  let block = quad >> 3u;
  let isColumns = i < params.numRows && block < params.numBlocks;
  if (isColumns) {
    columns[lane] = x[params.x + i * params.xStride + quad];
  }
  workgroupBarrier();
  if (!isColumns) {
    return;
  }
  let row = params.pool + indices[params.slots + i] * params.poolStride;
  let scale = scaleOf(lane & 0x38u);
  if (lane % 16u == 0u) {
    pool[row + (block >> 1u)] = halfBits(scale) | (halfBits(scaleOf(lane + 8u)) << 16u);
  }
  // Nothing is left of a smaller scale in float16, and 1 / scale may be infinite.
  let perUnit = select(0.0, 1.0 / scale, abs(scale) >= 0x1p-126f);
  let steps = columns[lane] * perUnit;
  let codes = row + params.codes;
  if (!nibbles) {
    pool[codes + quad] = codes8(steps);
  } else if (lane % 8u < 4u) {
    // A word holds four columns in its low halves, and those 16 further on in its high ones.
    pool[codes + 4u * block + (quad & 3u)] = codes4(steps) | (codes4(columns[lane + 4u] * perUnit) << 4u);
  }
}
