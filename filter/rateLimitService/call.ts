import { Counter } from "./ask";

/** Counters that one call may ask for. */
export const MAX_CALL_COUNTERS = 16;

/** A call to the rate limit service that is under way, and the counters that its answer will be about: the same number of units of each. */
@unmanaged
export class Call {
  units: i64;
  sentAtNanoseconds: i64;
  /** The host's number for the call, whose policy it serves, and the root that makes it; the binding's to set. */
  token: u32;
  account: i32;
  rootId: u32;
  count: i32;
  inUse: bool;
  /** Its root may be gone, and the answer with it: nobody waits for it, but it is booked if it comes. */
  released: bool;
}

const HEADER_BYTES: usize = (offsetof<Call>() + 7) & ~7;

/** Bytes of a call with its counters, which follow it. */
export const CALL_BYTES: usize = HEADER_BYTES + MAX_CALL_COUNTERS * offsetof<Counter>();

export function counterOf(call: Call, index: i32): Counter {
  return changetype<Counter>(changetype<usize>(call) + HEADER_BYTES + <usize>index * offsetof<Counter>());
}
