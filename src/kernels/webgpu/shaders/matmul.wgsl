// out = x · Wᵀ for many rows of x: a workgroup computes a tile of 64 rows of x by 64 outputs. Both
// factors go through workgroup memory, 32 columns at a time in the order of the weights' octets; each
// invocation keeps 8 by 4 sums. Weights in float32; a format's file has the functions for others.

struct Params {
  planes: vec4<u32>,
  numRows: u32,
  octetsPerRow: u32,
  // In vectors of four.
  x: u32,
  xStride: u32,
  // In numbers.
  out: u32,
  outStride: u32,
  numTokens: u32,
}

// Eight weights of a row: scale · code + offset, for two runs of four columns.
struct Octet {
  low: vec4<f32>,
  high: vec4<f32>,
  scale: vec2<f32>,
  offset: vec2<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

// Eight planes, one for each four columns, of 64 rows.
var<workgroup> xTile: array<vec4<f32>, 512>;
var<workgroup> weightTile: array<vec4<f32>, 512>;

// The octet with this number, counted through all rows.
fn decodeOctet(at: u32) -> Octet {
  let first = (params.planes.x >> 2u) + 2u * at;
  let low = bitcast<vec4<f32>>(weights[first]);
  let high = bitcast<vec4<f32>>(weights[first + 1u]);
  return Octet(low, high, vec2<f32>(1.0), vec2<f32>(0.0));
}

// The columns of a row's octet, in fours.
fn columnsOf(octet: u32) -> vec2<u32> {
  return vec2<u32>(2u * octet, 2u * octet + 1u);
}

// One octet of each of the tile's rows takes four invocations' turns: 64 rows of four octets are two.
fn loadX(item: u32, firstToken: u32, firstOctet: u32) {
  let token = firstToken + (item >> 2u);
  let columns = columnsOf(firstOctet + (item & 3u));
  var low = vec4<f32>(0.0);
  var high = vec4<f32>(0.0);
  if (token < params.numTokens) {
    low = x[params.x + token * params.xStride + columns.x];
    high = x[params.x + token * params.xStride + columns.y];
  }
  let plane = 128u * (item & 3u);
  xTile[plane + (item >> 2u)] = low;
  xTile[plane + 64u + (item >> 2u)] = high;
}

fn loadWeights(item: u32, firstRow: u32, firstOctet: u32) {
  let row = min(firstRow + (item >> 2u), params.numRows - 1u);
  let octet = decodeOctet(row * params.octetsPerRow + firstOctet + (item & 3u));
  let plane = 128u * (item & 3u);
  weightTile[plane + (item >> 2u)] = octet.scale.x * octet.low + octet.offset.x;
  weightTile[plane + 64u + (item >> 2u)] = octet.scale.y * octet.high + octet.offset.y;
}

@compute @workgroup_size(128) fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let firstRow = 64u * group.x;
  let firstToken = 64u * group.y;
  // Of the tile: rows column, column + 16, … of W, and rows line, line + 8, … of x.
  let column = lane & 15u;
  let line = lane >> 4u;
  // Few rows of x are few lines for everyone, and the loops below keep their constant length.
  let numLines = (min(64u, params.numTokens - firstToken) + 7u) / 8u;
  var sums = array<vec4<f32>, 8>();
  for (var octet = 0u; octet < params.octetsPerRow; octet += 4u) {
    for (var item = lane; item < 256u; item += 128u) {
      loadX(item, firstToken, octet);
      loadWeights(item, firstRow, octet);
    }
    workgroupBarrier();
    for (var plane = 0u; plane < 512u; plane += 64u) {
      let w0 = weightTile[plane + column];
      let w1 = weightTile[plane + column + 16u];
      let w2 = weightTile[plane + column + 32u];
      let w3 = weightTile[plane + column + 48u];
      for (var i = 0u; i < 8u; i++) {
        if (i < numLines) {
          let a = xTile[plane + line + 8u * i];
          sums[i] += vec4<f32>(dot(a, w0), dot(a, w1), dot(a, w2), dot(a, w3));
        }
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 8u; i++) {
    let token = firstToken + line + 8u * i;
    for (var j = 0u; j < 4u; j++) {
      let row = firstRow + column + 16u * j;
      if (token < params.numTokens && row < params.numRows) {
        out[params.out + token * params.outStride + row] = sums[i][j];
      }
    }
  }
}
