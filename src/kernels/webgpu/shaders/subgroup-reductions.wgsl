// Reductions over a workgroup with subgroup operations, for adapters that have them. Which invocations
// make up a subgroup is nowhere assumed: its first one stands for it.

enable subgroups;

var<workgroup> partialSums: array<vec4<f32>, 64>;
var<workgroup> partialMaxima: array<f32, 64>;

fn sumOverWorkgroup(value: vec4<f32>, lane: u32) -> vec4<f32> {
  let sum = subgroupAdd(value);
  partialSums[lane] = select(vec4<f32>(0.0), sum, lane == subgroupMin(lane));
  workgroupBarrier();
  let size = subgroupAdd(1u);
  var rest = vec4<f32>(0.0);
  for (var i = subgroupExclusiveAdd(1u); i < 64u; i += size) {
    rest += partialSums[i];
  }
  let total = subgroupAdd(rest);
  workgroupBarrier();
  return total;
}

fn maxOverWorkgroup(value: f32, lane: u32) -> f32 {
  partialMaxima[lane] = subgroupMax(value);
  workgroupBarrier();
  let size = subgroupAdd(1u);
  var largest = value;
  for (var i = subgroupExclusiveAdd(1u); i < 64u; i += size) {
    largest = max(largest, partialMaxima[i]);
  }
  let total = subgroupMax(largest);
  workgroupBarrier();
  return total;
}
