// Reading float16 by the type of that name, for adapters that have it. Not arithmetic: with 11 digits it
// would lose what float32 promises.

enable f16;

fn halvesOf(bits: u32) -> vec2<f32> {
  return vec2<f32>(bitcast<vec2<f16>>(bits));
}
