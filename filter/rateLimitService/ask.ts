import { NONE } from "../bytes/rows";
import { WindowKind } from "../tables/record";

/** A counter of the rate limit service, by the positions of its API, plan, quota and consumer in the tables, with the limit that holds. */
@unmanaged
export class Counter {
  consumerId: u64;
  meter: u64;
  limit: i64;
  api: i32;
  plan: i32;
  quota: i32;
  consumer: i32;
  window: WindowKind;
  private padding: u32;
}

const MAX_NOTED = 8;
const NOTED: usize = memory.data(MAX_NOTED * 48, 8);

/** Counters that the last charge found dry or low: the first that is dry, if any, is the one to wait for. */
export let notedCount: i32 = 0;
/** Position of the counter to wait for, or NONE. */
export let dryIndex: i32 = NONE;

export function noted(index: i32): Counter {
  return changetype<Counter>(NOTED + <usize>index * offsetof<Counter>());
}

export function clearNoted(): void {
  notedCount = 0;
  dryIndex = NONE;
}

/** A record for one more counter; a request has no more quotas than there is room for. */
export function note(dry: bool): Counter {
  if (dry && dryIndex == NONE) dryIndex = notedCount;
  return noted(min(notedCount++, MAX_NOTED - 1));
}
