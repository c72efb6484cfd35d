/**
 * Chained hashes of blocks of tokens: a block's hash stands for its tokens and all before them. A hash
 * only says where to look; whoever looks compares the tokens, so a collision costs time and nothing
 * else. Not for cryptography.
 */

/** The hash of a block from the hash of the block before it and its own tokens; a whole number. */
export type BlockHash = (parentHash: number, tokens: readonly number[]) => number;

/** What stands for the block before the first one; a salt keeps the caches of tenants apart. */
export function rootHash(salt: string): number {
  return hashBlock(
    0,
    Array.from(salt, (character) => character.codePointAt(0)!),
  );
}

/** 32 bits by the rounds and the final mix of MurmurHash3 (Appleby, 2011). */
export function hashBlock(parentHash: number, tokens: readonly number[]): number {
  let hash = parentHash | 0;
  for (const token of tokens) {
    let word = Math.imul(token, 0xcc9e2d51);
    word = Math.imul((word << 15) | (word >>> 17), 0x1b873593);
    hash ^= word;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash ^= tokens.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
