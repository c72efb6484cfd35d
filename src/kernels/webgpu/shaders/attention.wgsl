// Causal attention, a workgroup for each head of each query. The softmax is online (Milakov and
// Gimelshein, 2018): 256 tokens at a time, and what was summed before is scaled when the largest score
// changes. An invocation scores four of these tokens and then sums columns of the values.

struct Params {
  numQueries: u32,
  numTokens: u32,
  headDim: u32,
  // Heads of queries that share one of keys.
  sharing: u32,
  // In numbers.
  queries: u32,
  queryStride: u32,
  keys: u32,
  values: u32,
  kvStride: u32,
  out: u32,
  slots: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> keys: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> values: array<f32>;
@group(0) @binding(4) var<storage, read> indices: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

// The lowest float32: an infinity may not be written down.
const lowest = -0x1.fffffep+127f;

var<workgroup> partialSums: array<vec4<f32>, 64>;
var<workgroup> partialMaxima: array<f32, 64>;
var<workgroup> tokenWeights: array<f32, 256>;
// Where the head's columns of a token's values begin.
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

// q · k for a head's columns of a query and a key.
fn score(query: u32, key: u32) -> f32 {
  var sum = 0.0;
  if (params.headDim % 4u == 0u) {
    for (var c = 0u; c < params.headDim / 4u; c++) {
      sum += dot(queries[query / 4u + c], keys[key / 4u + c]);
    }
  } else {
    for (var c = 0u; c < params.headDim; c++) {
      let q = query + c;
      let k = key + c;
      sum += queries[q / 4u][q % 4u] * keys[k / 4u][k % 4u];
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
  let numVisible = params.numTokens - params.numQueries + group.y + 1u;
  var peak = lowest;
  var sums = vec4<f32>(0.0);
  for (var first = 0u; first < numVisible; first += 256u) {
    var scores = vec4<f32>(lowest);
    for (var j = 0u; j < 4u; j++) {
      let token = first + 64u * j + lane;
      if (token < numVisible) {
        let row = indices[params.slots + token] * params.kvStride + kvStart;
        scores[j] = score(query, params.keys + row);
        tokenValues[64u * j + lane] = params.values + row;
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
    for (var c = lane; c < params.headDim; c += 64u) {
      var sum = 0.0;
      if (first > 0u) {
        sum = out[outHead + c] * correction;
      }
      for (var t = 0u; t < count; t++) {
        sum += tokenWeights[t] * values[tokenValues[t] + c];
      }
      out[outHead + c] = sum;
    }
    workgroupBarrier();
  }
  let total = dot(sumOverWorkgroup(sums, lane), vec4<f32>(1.0));
  for (var c = lane; c < params.headDim; c += 64u) {
    out[outHead + c] /= total;
  }
}
