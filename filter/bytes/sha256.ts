/**
 * SHA-256 (FIPS 180-4) of a byte string. Message schedule, padding and state are in static memory, so nothing is allocated, and
 * only one hash is computed at a time.
 */
const K: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]);
const INITIAL: usize = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);
const SCHEDULE: usize = memory.data(64 * 4, 16);
const TAIL: usize = memory.data(128, 16);
const STATE: usize = memory.data(32, 16);

/** Writes the 32-byte digest of `length` bytes at `message` to `digest`. */
export function sha256(message: usize, length: i32, digest: usize): void {
  memory.copy(STATE, INITIAL, 32);
  const whole = length & ~63;
  for (let offset = 0; offset < whole; offset += 64) compress(message + offset);

  // Padding: 0x80, zeros, then the length in bits as 64 bits, big endian; it takes one block or two.
  const rest = length - whole;
  const padded = rest < 56 ? 64 : 128;
  memory.fill(TAIL, 0, padded);
  memory.copy(TAIL, message + whole, rest);
  store<u8>(TAIL + rest, 0x80);
  store<u64>(TAIL + padded - 8, bswap<u64>((<u64>length) << 3));
  compress(TAIL);
  if (padded == 128) compress(TAIL + 64);

  for (let i = 0; i < 32; i += 4) store<u32>(digest + i, bswap<u32>(load<u32>(STATE + i)));
}

function compress(block: usize): void {
  for (let i = 0; i < 64; i += 4) store<u32>(SCHEDULE + i, bswap<u32>(load<u32>(block + i)));
  for (let p = SCHEDULE; p < SCHEDULE + 192; p += 16) {
    const w1 = load<u32>(p, 4);
    const w2 = load<u32>(p, 8);
    const w3 = load<u32>(p, 12);
    const w16 = load<u32>(p) + spread0(w1) + load<u32>(p, 36) + spread1(load<u32>(p, 56));
    const w17 = w1 + spread0(w2) + load<u32>(p, 40) + spread1(load<u32>(p, 60));
    store<u32>(p, w16, 64);
    store<u32>(p, w17, 68);
    store<u32>(p, w2 + spread0(w3) + load<u32>(p, 44) + spread1(w16), 72);
    store<u32>(p, w3 + spread0(load<u32>(p, 16)) + load<u32>(p, 48) + spread1(w17), 76);
  }

  let a = load<u32>(STATE);
  let b = load<u32>(STATE, 4);
  let c = load<u32>(STATE, 8);
  let d = load<u32>(STATE, 12);
  let e = load<u32>(STATE, 16);
  let f = load<u32>(STATE, 20);
  let g = load<u32>(STATE, 24);
  let h = load<u32>(STATE, 28);
  let t: u32;
  // Eight rounds at a time: after eight, the variables a to h are back in their places, so none has to be moved.
  for (let i = 0; i < 256; i += 32) {
    const k = K + i;
    const w = SCHEDULE + i;
    t = h + mix1(e) + choice(e, f, g) + load<u32>(k, 0) + load<u32>(w, 0);
    d += t;
    h = t + mix0(a) + majority(a, b, c);
    t = g + mix1(d) + choice(d, e, f) + load<u32>(k, 4) + load<u32>(w, 4);
    c += t;
    g = t + mix0(h) + majority(h, a, b);
    t = f + mix1(c) + choice(c, d, e) + load<u32>(k, 8) + load<u32>(w, 8);
    b += t;
    f = t + mix0(g) + majority(g, h, a);
    t = e + mix1(b) + choice(b, c, d) + load<u32>(k, 12) + load<u32>(w, 12);
    a += t;
    e = t + mix0(f) + majority(f, g, h);
    t = d + mix1(a) + choice(a, b, c) + load<u32>(k, 16) + load<u32>(w, 16);
    h += t;
    d = t + mix0(e) + majority(e, f, g);
    t = c + mix1(h) + choice(h, a, b) + load<u32>(k, 20) + load<u32>(w, 20);
    g += t;
    c = t + mix0(d) + majority(d, e, f);
    t = b + mix1(g) + choice(g, h, a) + load<u32>(k, 24) + load<u32>(w, 24);
    f += t;
    b = t + mix0(c) + majority(c, d, e);
    t = a + mix1(f) + choice(f, g, h) + load<u32>(k, 28) + load<u32>(w, 28);
    e += t;
    a = t + mix0(b) + majority(b, c, d);
  }
  store<u32>(STATE, load<u32>(STATE) + a);
  store<u32>(STATE, load<u32>(STATE, 4) + b, 4);
  store<u32>(STATE, load<u32>(STATE, 8) + c, 8);
  store<u32>(STATE, load<u32>(STATE, 12) + d, 12);
  store<u32>(STATE, load<u32>(STATE, 16) + e, 16);
  store<u32>(STATE, load<u32>(STATE, 20) + f, 20);
  store<u32>(STATE, load<u32>(STATE, 24) + g, 24);
  store<u32>(STATE, load<u32>(STATE, 28) + h, 28);
}

// @ts-ignore: decorator
@inline
function spread0(w: u32): u32 {
  return rotr<u32>(w, 7) ^ rotr<u32>(w, 18) ^ (w >> 3);
}

// @ts-ignore: decorator
@inline
function spread1(w: u32): u32 {
  return rotr<u32>(w, 17) ^ rotr<u32>(w, 19) ^ (w >> 10);
}

// @ts-ignore: decorator
@inline
function mix0(a: u32): u32 {
  return rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22);
}

// @ts-ignore: decorator
@inline
function mix1(e: u32): u32 {
  return rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25);
}

// @ts-ignore: decorator
@inline
function choice(e: u32, f: u32, g: u32): u32 {
  return g ^ (e & (f ^ g));
}

// @ts-ignore: decorator
@inline
function majority(a: u32, b: u32, c: u32): u32 {
  return (a & b) | (c & (a | b));
}
