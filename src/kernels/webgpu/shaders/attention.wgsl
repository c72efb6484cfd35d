// Causal attention, a workgroup for each head of each query. The softmax is online (Milakov and
// Gimelshein, 2018): 256 tokens at a time, and what was summed before is scaled when the largest score
// changes. An invocation scores four of these tokens and then sums four columns of the values. Keys and
// values are decoded where they are read; how they lie is in `kv-pools.ts`.

// The formats' numbers.
const float32: u32 = 0u;
const float16: u32 = 1u;
const q8_0: u32 = 2u;
const q4_0: u32 = 3u;

override keyFormat: u32 = 0u;
override valueFormat: u32 = 0u;

struct Params {
  numQueries: u32,
  numTokens: u32,
  headDim: u32,
  // Heads of queries that share one of keys.
  sharing: u32,
  // In numbers.
  queries: u32,
  queryStride: u32,
  out: u32,
  slots: u32,
  // In words; codes begin behind a row's scales.
  keys: u32,
  keyStride: u32,
  keyCodes: u32,
  values: u32,
  valueStride: u32,
  valueCodes: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> keys: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> values: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> indices: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

// The lowest float32: an infinity may not be written down.
const lowest = -0x1.fffffep+127f;

var<workgroup> partialSums: array<vec4<f32>, 64>;
var<workgroup> partialMaxima: array<f32, 64>;
var<workgroup> tokenWeights: array<f32, 256>;
// Where a token's values begin.
var<workgroup> tokenValues: array<u32, 256>;

fn sumOverWorkgroup(value: vec4<f32>, lane: u32) -> vec4<f32> {
  partialSums[lane] = value;
  for (var half = 32u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) {
      partialSums[lane] += partialSums[lane + half];
    }
  }
  return workgroupUniformLoad(&partialSums[0]);
}

fn maxOverWorkgroup(value: f32, lane: u32) -> f32 {
  partialMaxima[lane] = value;
  for (var half = 32u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) {
      partialMaxima[lane] = max(partialMaxima[lane], partialMaxima[lane + half]);
    }
  }
  return workgroupUniformLoad(&partialMaxima[0]);
}

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

// The word of a row's codes in which a quad, columns 4 · quad + 0…3, begins.
fn wordOf(quad: u32, format: u32) -> u32 {
  switch format {
    case float16: {
      return 2u * quad;
    }
    case q8_0: {
      return quad;
    }
    case q4_0: {
      // A word holds a quad in its low halves, and the one 16 columns further on in its high ones.
      return 4u * (quad >> 3u) + (quad & 3u);
    }
    default: {
      return 4u * quad;
    }
  }
}

// A quad from its first two words, the second of which only float16 has; blocks without their scale.
fn decodeQuad(words: vec2<u32>, quad: u32, format: u32) -> vec4<f32> {
  switch format {
    case q8_0: {
      // A flipped sign bit makes −128…127 into 0…255.
      return numbersOf(words.x ^ 0x80808080u, 0u, 0xffu, 128.0);
    }
    case q4_0: {
      return numbersOf(words.x, quad & 4u, 0xfu, 8.0);
    }
    default: {
      return vec4<f32>(halvesOf(words.x), halvesOf(words.y));
    }
  }
}

fn keyQuad(row: u32, quad: u32) -> vec4<f32> {
  let at = row + params.keyCodes + wordOf(quad, keyFormat);
  if (keyFormat == float32) {
    return bitcast<vec4<f32>>(keys[at >> 2u]);
  }
  let words = vec2<u32>(keys[at >> 2u][at & 3u], keys[at >> 2u][(at & 3u) | 1u]);
  return decodeQuad(words, quad, keyFormat);
}

fn keyScale(row: u32, block: u32) -> f32 {
  if (keyFormat < q8_0) {
    return 1.0;
  }
  let at = row + (block >> 1u);
  return halvesOf(keys[at >> 2u][at & 3u])[block & 1u];
}

fn valueQuad(row: u32, quad: u32) -> vec4<f32> {
  let at = row + params.valueCodes + wordOf(quad, valueFormat);
  if (valueFormat == float32) {
    return bitcast<vec4<f32>>(values[at >> 2u]);
  }
  let words = vec2<u32>(values[at >> 2u][at & 3u], values[at >> 2u][(at & 3u) | 1u]);
  return decodeQuad(words, quad, valueFormat);
}

fn valueScale(row: u32, block: u32) -> f32 {
  if (valueFormat < q8_0) {
    return 1.0;
  }
  let at = row + (block >> 1u);
  return halvesOf(values[at >> 2u][at & 3u])[block & 1u];
}

// q · k for a head's columns of a query and, from column `first` on, of the key at `row`.
fn score(query: u32, row: u32, first: u32) -> f32 {
  let end = first + params.headDim;
  var sum = 0.0;
  if (params.headDim % 4u == 0u) {
    var q = query / 4u;
    for (var quad = first / 4u; quad < end / 4u;) {
      // Eight quads of a block have one scale.
      let stop = min(end / 4u, (quad | 7u) + 1u);
      let scale = keyScale(row, quad >> 3u);
      var products = 0.0;
      for (; quad < stop; quad++) {
        products += dot(queries[q], keyQuad(row, quad));
        q++;
      }
      sum += scale * products;
    }
  } else {
    for (var c = first; c < end; c++) {
      let q = query + c - first;
      let key = keyScale(row, c >> 5u) * keyQuad(row, c >> 2u)[c & 3u];
      sum += queries[q / 4u][q % 4u] * key;
    }
  }
  return params.scale * sum;
}

@compute @workgroup_size(64) fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let headStart = group.x * params.headDim;
  let kvStart = group.x / params.sharing * params.headDim;
  let query = params.queries + group.y * params.queryStride + headStart;
  let outHead = params.out + group.y * params.queryStride + headStart;
  let firstQuad = kvStart / 4u;
  let numQuads = (kvStart + params.headDim + 3u) / 4u - firstQuad;
  let numVisible = params.numTokens - params.numQueries + group.y + 1u;
  var peak = lowest;
  var sums = vec4<f32>(0.0);
  for (var first = 0u; first < numVisible; first += 256u) {
    var scores = vec4<f32>(lowest);
    for (var j = 0u; j < 4u; j++) {
      let token = first + 64u * j + lane;
      if (token < numVisible) {
        let slot = indices[params.slots + token];
        scores[j] = score(query, params.keys + slot * params.keyStride, kvStart);
        tokenValues[64u * j + lane] = params.values + slot * params.valueStride;
      }
    }
    let tilePeak = max(max(scores.x, scores.y), max(scores.z, scores.w));
    let newPeak = max(peak, maxOverWorkgroup(tilePeak, lane));
    // e^-104 is 0 in float32; a lower power may not be asked for.
    let correction = exp(max(peak - newPeak, -104.0));
    peak = newPeak;
    let powers = exp(max(scores - peak, vec4<f32>(-104.0)));
    let counted = first + lane + vec4<u32>(0u, 64u, 128u, 192u) < vec4<u32>(numVisible);
    let weights = select(vec4<f32>(0.0), powers, counted);
    sums = sums * correction + weights;
    for (var j = 0u; j < 4u; j++) {
      tokenWeights[64u * j + lane] = weights[j];
    }
    workgroupBarrier();
    let count = min(256u, numVisible - first);
    for (var done = 0u; done < numQuads; done += 64u) {
      // Where there are fewer quads than invocations, several have the same and share the tokens.
      let width = min(64u, numQuads - done);
      let numParts = 64u / width;
      let quad = firstQuad + done + lane % width;
      var sum = vec4<f32>(0.0);
      for (var t = lane / width; t < count && lane < numParts * width; t += numParts) {
        let row = tokenValues[t];
        sum += tokenWeights[t] * valueScale(row, quad >> 3u) * valueQuad(row, quad);
      }
      partialSums[lane] = sum;
      workgroupBarrier();
      for (var place = 4u * done + lane; place < 4u * (done + width); place += 64u) {
        // A place before the head's first column wraps around to a large number.
        let c = place - kvStart % 4u;
        if (c < params.headDim) {
          var sum = 0.0;
          if (first > 0u) {
            sum = out[outHead + c] * correction;
          }
          for (var part = place / 4u - done; part < numParts * width; part += width) {
            sum += partialSums[part][place % 4u];
          }
          out[outHead + c] = sum;
        }
      }
      workgroupBarrier();
    }
  }
  let total = dot(sumOverWorkgroup(sums, lane), vec4<f32>(1.0));
  storageBarrier();
  for (var c = lane; c < params.headDim; c += 64u) {
    out[outHead + c] /= total;
  }
}
