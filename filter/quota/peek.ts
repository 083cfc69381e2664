import { Reason } from "../decision/decision";
import { ShardStore, readCell, wasRead } from "../shared/shard";
import { asStock, heldWithin, isOpen, isRefused, remainingIn } from "../rateLimitService/stock";
import { Api } from "../tables/api";
import { Per, Quota, QuotaKind } from "../tables/quota";
import { Tables } from "../tables/tables";
import { NANOSECONDS, ceilDivide, ceilSeconds, nominalSeconds } from "../time/window";
import { Attempt, Bill, Charge, UNKNOWN, attemptAt, isEmpty, refuse, standingAt } from "./attempt";
import * as Bucket from "./bucket";
import { beginAttempt, open } from "./charge";
import { Counters, storeOf } from "./counters";
import { endOf, startOf } from "./calendar";
import { WindowCell, leasedIn, openWindow, usedIn } from "./local";
import { leasedUntil } from "./mesh";
import { makeAddressRoom } from "./visitors";

/*
 * What is left of the quotas of a caller who asks. Nothing is charged, and the rate limit service is not called: of a mesh-wide quota the
 * caller learns what this Envoy knows. Asking is limited by a bucket of its own.
 */

/** The limit of a quota that is only observed: for callers it does not exist. */
export const HIDDEN: i64 = -1;

/** Writes the standings of the bill's plan. */
export function peek(tables: Tables, counters: Counters, observed: u32, bill: Bill, now: i64): void {
  const plan = tables.plans.at(bill.plan);
  const consumer = tables.consumers.at(bill.consumer);
  let unusual = observed;
  if (plan.addressCount > 0) {
    makeAddressRoom(tables, counters, plan.addressCount, now);
    unusual = u32.MAX_VALUE;
  }
  for (let i = 0; i < plan.quotaCount; i++) {
    const attempt = attemptAt(i);
    beginAttempt(tables, counters, plan.firstQuota + i, consumer, bill, attempt, i, 0);
    if (((unusual >> i) & 1) == 0) look(counters, attempt, now);
    else {
      look(storeOf(counters, attempt.quota), attempt, now);
      if ((observed >> i) & 1) attempt.standing.limit = HIDDEN;
    }
  }
}

function look(counters: Counters, attempt: Attempt, now: i64): void {
  const standing = attempt.standing;
  standing.limit = attempt.limit;
  standing.remaining = UNKNOWN;
  if (attempt.kind == QuotaKind.Bucket) {
    Bucket.read(counters.pool, attempt, now);
    Bucket.report(attempt, now);
  } else if (attempt.kind == QuotaKind.Local) lookAtWindow(counters.pool, attempt, now);
  else lookAtStock(counters.service.stocks, attempt, now);
  // There is one for each operation, and this one is none that the caller means.
  if (attempt.quota.per == Per.Operation) standing.remaining = UNKNOWN;
}

/** Reads the counter again, because other workers may have charged it since this one has. What they have leased counts as used. */
function lookAtWindow(pool: ShardStore, attempt: Attempt, now: i64): void {
  const nowSeconds = now / NANOSECONDS;
  const standing = attempt.standing;
  let window = startOf(attempt.quota.window, nowSeconds);
  let until = endOf(attempt.quota.window, window);
  let used: i64 = 0;
  const found = readCell(pool, attempt.balance);
  if (found != null) {
    const cell = changetype<WindowCell>(found);
    window = openWindow(cell, window, nowSeconds);
    used = usedIn(cell, window) - leasedIn(attempt.balance, window);
    if (window == cell.windowSeconds && cell.overAtSeconds > 0) until = cell.overAtSeconds;
  }
  if (wasRead()) standing.remaining = max<i64>(0, attempt.limit - used);
  standing.windowSeconds = <u32>(until - window);
  standing.resetSeconds = <u32>max<i64>(0, ceilSeconds(until * NANOSECONDS - now));
}

/** By this Envoy's stock, and what this worker holds of it; nothing is known of a counter that has none. */
function lookAtStock(stocks: ShardStore, attempt: Attempt, now: i64): void {
  const standing = attempt.standing;
  const limit = attempt.limit;
  standing.windowSeconds = <u32>nominalSeconds(attempt.quota.window);
  const cell = readCell(stocks, attempt.balance);
  if (cell == null) return;
  const stock = asStock(cell);
  const refused = isRefused(stock, limit, now);
  const until = isOpen(stock, now) ? stock.endsAtNanoseconds : refused ? stock.refusedUntilNanoseconds : 0;
  if (until == 0) return;
  const there = refused ? 0 : max<i64>(0, remainingIn(stock, limit, now));
  const here = heldWithin(stock, limit, now) + leasedUntil(attempt.balance, until);
  standing.remaining = min(limit, here + there);
  standing.resetSeconds = <u32>max<i64>(0, ceilSeconds(until - now));
}

/** How often a consumer may ask at once. */
const AT_ONCE: i64 = 10;
const MINUTE_NANOSECONDS: i64 = 60 * NANOSECONDS;
/** Tells the bucket of a consumer's questions about an API from its quotas. */
const ME_METER: u64 = 0x74656c6c6d65;
const RATE: Quota = changetype<Quota>(memory.data(offsetof<Quota>(), 8));
const ASKING: Attempt = changetype<Attempt>(memory.data(offsetof<Attempt>(), 8));

/** Takes a token of the consumer's for one question about the API. */
export function mayAsk(tables: Tables, counters: Counters, api: Api, bill: Bill, now: i64): Reason {
  RATE.kind = QuotaKind.Bucket;
  RATE.burst = min<i64>(api.mePerMinute, AT_ONCE);
  RATE.intervalNanoseconds = ceilDivide(MINUTE_NANOSECONDS, api.mePerMinute);
  ASKING.quota = RATE;
  ASKING.kind = QuotaKind.Bucket;
  ASKING.standing = standingAt(0);
  open(counters, 1 + tables.plans.at(bill.plan).quotaCount, bill);
  const id = tables.consumers.at(bill.consumer).id;
  ASKING.balance = counters.balances.open(id, api.id ^ ME_METER, QuotaKind.Bucket);
  let result = Charge.Exceeded;
  if (isEmpty(ASKING.balance, Bucket.identity(RATE), bill.cost, now))
    refuse(bill, ASKING, Bucket.refusedUntil(ASKING), now);
  else result = Bucket.acquire(counters.pool, ASKING, bill, now);
  if (result == Charge.Enough) return Reason.MeAnswered;
  return result == Charge.Exceeded ? Reason.MeExceeded : Reason.QuotaUnavailable;
}
