import { sha256 } from "../bytes/sha256";
import { View, lengthOf, pointerOf, view } from "../bytes/view";

/**
 * The first 64 bits of SHA-256 over a kind byte and a name. Counters are identified by such numbers, never by joined names or by
 * positions, so they survive any edit that keeps the name, and nobody can choose names that collide.
 *
 *   kind (1) │ detail (1) │ name
 */
const MESSAGE: usize = memory.data(2 + 256, 8);
const DIGEST: usize = memory.data(32, 8);

export const CONSUMER_ID: u8 = 0x43;
export const API_ID: u8 = 0x41;
export const GROUP_ID: u8 = 0x47;
export const PLAN_ID: u8 = 0x54;
export const METER_ID: u8 = 0x4d;
export const OFFER_ID: u8 = 0x4f;
export const WINDOW_ID: u8 = 0x57;
export const OPERATION_ID: u8 = 0x50;
export const VISITOR_ID: u8 = 0x56;
export const CROWD_ID: u8 = 0x4e;
export const KEY_ID: u8 = 0x4b;
export const WARNING_ID: u8 = 0x51;
export const FLIGHT_ID: u8 = 0x46;

export function counterId(kind: u8, detail: u8, name: View): u64 {
  const length = min(lengthOf(name), 256);
  store<u8>(MESSAGE, kind);
  store<u8>(MESSAGE, detail, 1);
  memory.copy(MESSAGE + 2, pointerOf(name), length);
  sha256(MESSAGE, length + 2, DIGEST);
  return load<u64>(DIGEST);
}

/** First 64 bits of SHA-256 over the whole of `v`. */
export function digestOf(v: View): u64 {
  sha256(pointerOf(v), lengthOf(v), DIGEST);
  return load<u64>(DIGEST);
}

/** The id of a number. */
export function numberId(kind: u8, number: u32): u64 {
  store<u32>(JOINED, number);
  return counterId(kind, 0, view(JOINED, 4));
}

/** Cannot be part of a name in a policy, so pairs of names joined by it stay distinct. */
const SLASH: u8 = 0x2f;
const JOINED: usize = memory.data(256, 8);

/** The id of a pair of names, of at most 127 bytes each. */
export function pairId(kind: u8, detail: u8, first: View, second: View): u64 {
  const end = append(JOINED, first);
  store<u8>(end, SLASH);
  return counterId(kind, detail, view(JOINED, <i32>(append(end + 1, second) - JOINED)));
}

function append(to: usize, v: View): usize {
  memory.copy(to, pointerOf(v), min(lengthOf(v), 127));
  return to + min(lengthOf(v), 127);
}
