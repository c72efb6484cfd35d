/** Reads memory as fast as one thread can: what kernels that read weights are measured by. */

/** The exclusive or of all 16-byte words from `begin` to `end`; the distance is a multiple of 256. */
export function readMemory(begin: usize, end: usize): i64 {
  let a = i64x2.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (let at = begin; at < end; at += 256) {
    a = v128.xor(a, v128.xor(v128.load(at), v128.load(at, 16)));
    b = v128.xor(b, v128.xor(v128.load(at, 32), v128.load(at, 48)));
    c = v128.xor(c, v128.xor(v128.load(at, 64), v128.load(at, 80)));
    d = v128.xor(d, v128.xor(v128.load(at, 96), v128.load(at, 112)));
    a = v128.xor(a, v128.xor(v128.load(at, 128), v128.load(at, 144)));
    b = v128.xor(b, v128.xor(v128.load(at, 160), v128.load(at, 176)));
    c = v128.xor(c, v128.xor(v128.load(at, 192), v128.load(at, 208)));
    d = v128.xor(d, v128.xor(v128.load(at, 224), v128.load(at, 240)));
  }
  const all = v128.xor(v128.xor(a, b), v128.xor(c, d));
  return i64x2.extract_lane(all, 0) ^ i64x2.extract_lane(all, 1);
}
