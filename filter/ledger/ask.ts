import { View } from "../bytes/view";
import { Counters } from "../quota/counters";
import { NONE } from "../tables/record";
import { Tables } from "../tables/tables";
import { Call } from "./call";
import { claim } from "./claim";
import { rateLimitRequest } from "./message";

/** A counter of the ledger, by the positions of its API, plan, quota and consumer in the tables, with the limit that holds. */
@unmanaged
export class Counter {
  consumerId: u64;
  meter: u64;
  limit: i64;
  api: i32;
  plan: i32;
  quota: i32;
  consumer: i32;
}

const MAX_NOTED = 8;
const NOTED: usize = memory.data(MAX_NOTED * 40, 8);

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

/** Makes this VM ask for more of a counter: fills in the call and gives true, or false when there is nothing to ask. */
export function prepareCall(tables: Tables, counters: Counters, counter: Counter, call: Call, demand: i64, now: i64): bool {
  call.consumer = counter.consumerId;
  call.meter = counter.meter;
  call.limit = counter.limit;
  call.window = tables.quotas.at(tables.plans.at(counter.plan).firstQuota + counter.quota).window;
  return claim(counters, call, demand, now);
}

/** The message of a prepared call. */
export function messageOf(tables: Tables, counter: Counter, call: Call): View {
  const plan = tables.plans.at(counter.plan);
  const quota = tables.quotas.at(plan.firstQuota + counter.quota);
  return rateLimitRequest(tables.ledger, plan, quota, tables.apis.at(counter.api), tables.consumers.at(counter.consumer), call.units);
}
