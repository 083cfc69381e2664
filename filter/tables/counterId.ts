import { sha256 } from "../bytes/sha256";
import { View, lengthOf, literal, pointerOf, view } from "../bytes/view";

/**
 * First 64 bits of SHA-256 over a kind byte and a name. Counters are identified by such numbers, never by joined names or
 * by positions, so they survive any edit that keeps the name, and no choice of names makes two of them meet.
 *
 *   kind (1) │ detail (1) │ name
 */
const MESSAGE: usize = memory.data(2 + 256, 8);
const DIGEST: usize = memory.data(32, 8);

export const CONSUMER_ID: u8 = 0x43;
export const API_ID: u8 = 0x41;
export const METER_ID: u8 = 0x4d;

export function counterId(kind: u8, detail: u8, name: View): u64 {
  const length = min(lengthOf(name), 256);
  store<u8>(MESSAGE, kind);
  store<u8>(MESSAGE, detail, 1);
  memory.copy(MESSAGE + 2, pointerOf(name), length);
  sha256(MESSAGE, length + 2, DIGEST);
  return load<u64>(DIGEST);
}

/** Part of no name in a policy, so names joined by it stay distinct. */
export const SLASH = literal("/");
const JOINED: usize = memory.data(256, 8);

/** The id of two names, of at most 127 bytes each. */
export function joinedId(kind: u8, detail: u8, first: View, between: View, second: View): u64 {
  let to = append(JOINED, first);
  to = append(to, between);
  to = append(to, second);
  return counterId(kind, detail, view(JOINED, <i32>(to - JOINED)));
}

function append(to: usize, v: View): usize {
  memory.copy(to, pointerOf(v), min(lengthOf(v), 127));
  return to + min(lengthOf(v), 127);
}
