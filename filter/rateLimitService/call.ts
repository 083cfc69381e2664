import { Counter } from "./ask";

/** Counters that one call may ask for. */
export const MAX_CALL_COUNTERS = 16;

/** What a call to the rate limit service asks for: the same number of units of each of the counters that follow the record. */
@unmanaged
export class Call {
  units: i64;
  /** When the first counter was claimed for it; the claims bear this time. */
  sentAtNanoseconds: i64;
  count: i32;
}

const HEADER_BYTES: usize = (offsetof<Call>() + 7) & ~7;

/** Bytes of a call with its counters, which follow it. */
export const CALL_BYTES: usize = HEADER_BYTES + MAX_CALL_COUNTERS * offsetof<Counter>();

export function counterOf(call: Call, index: i32): Counter {
  return changetype<Counter>(changetype<usize>(call) + HEADER_BYTES + <usize>index * offsetof<Counter>());
}
