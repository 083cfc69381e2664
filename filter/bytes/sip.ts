/**
 * SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012): a keyed hash that nobody can aim at without the secret, for short strings
 * several times cheaper than SHA-256.
 */
export const SECRET_BYTES: i32 = 16;

let secret0: u64 = 0;
let secret1: u64 = 0;
/** False until there is a secret; a hash without one could be aimed at. */
export let hasSecret: bool = false;

/** The second half of the last hash. */
export let sipHigh: u64 = 0;

/** Takes 16 random bytes, once for all of a VM's hashes. */
export function useSecret(bytes: usize): void {
  secret0 = load<u64>(bytes);
  secret1 = load<u64>(bytes, 8);
  hasSecret = true;
}

/** A number that depends on the secret, to begin cheaper hashes with. */
// @ts-ignore: decorator
@inline
export function salt(): u64 {
  return secret0;
}

/** The first half of the hash of `length` bytes at `text`; the second is in `sipHigh`. */
export function sip(text: usize, length: i32): u64 {
  let v0 = secret0 ^ 0x736f6d6570736575;
  let v1 = secret1 ^ (0x646f72616e646f6d ^ 0xee);
  let v2 = secret0 ^ 0x6c7967656e657261;
  let v3 = secret1 ^ 0x7465646279746573;
  const last = text + <usize>(length & ~7);
  for (let at = text; ; at += 8) {
    const word = at < last ? load<u64>(at) : tail(last, length);
    v3 ^= word;
    for (let i = 0; i < 2; i++) {
      v0 += v1;
      v1 = rotl<u64>(v1, 13) ^ v0;
      v0 = rotl<u64>(v0, 32);
      v2 += v3;
      v3 = rotl<u64>(v3, 16) ^ v2;
      v0 += v3;
      v3 = rotl<u64>(v3, 21) ^ v0;
      v2 += v1;
      v1 = rotl<u64>(v1, 17) ^ v2;
      v2 = rotl<u64>(v2, 32);
    }
    v0 ^= word;
    if (at >= last) break;
  }
  v2 ^= 0xee;
  let low: u64 = 0;
  for (let i = 0; i < 8; i++) {
    if (i == 4) {
      low = v0 ^ v1 ^ v2 ^ v3;
      v1 ^= 0xdd;
    }
    v0 += v1;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v0 = rotl<u64>(v0, 32);
    v2 += v3;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v2 = rotl<u64>(v2, 32);
  }
  sipHigh = v0 ^ v1 ^ v2 ^ v3;
  return low;
}

/** The last word: what is left of the text, and its length in the top byte. */
function tail(last: usize, length: i32): u64 {
  const rest = length & 7;
  let word = (<u64>length) << 56;
  if (length >= 8) return rest == 0 ? word : word | (load<u64>(last + rest - 8) >> (64 - 8 * rest));
  for (let i = 0; i < rest; i++) word |= (<u64>load<u8>(last + i)) << (8 * i);
  return word;
}
