import { NONE } from "../bytes/rows";
import { MAX_ATTEMPTS, WriteResult, openCell, wasFull, writeCell } from "../shared/shard";
import { Per, Quota, QuotaKind } from "../tables/quota";
import { Tables } from "../tables/tables";
import { NANOSECONDS, windowEnd, windowStart } from "../time/window";
import { Balance, Standing, UNKNOWN, bill, standingAt } from "./attempt";
import { balanceOf } from "./charge";
import { Counters } from "./counters";
import * as Local from "./local";

/*
 * A quota that warns refuses nothing: callers are told of the percentage of their limit that they have reached, and each percentage is counted
 * once for each counter and window, whichever worker sees it first. Beside the counter lies a cell that says up to where that was counted:
 *
 *   window   the end of the window      used   how many of the quota's percentages were reached
 */

/** Distinguishes that cell from the counter's own. */
const WARNED_METER: u64 = 0x7761726e6564;

/** How many of a quota's percentages its standing has reached; 0 also where nothing is known, or nobody is told of it. */
export function reached(warnAt: u32, standing: Standing): i32 {
  if (standing.remaining <= UNKNOWN) return 0;
  const used = standing.limit - standing.remaining;
  let count = 0;
  // Limits go up to 2^53, so the products stay below 2^63.
  for (let rest = warnAt; rest != 0 && used * 100 >= <i64>(rest & 0xff) * standing.limit; rest >>= 8) count++;
  return count;
}

/** Counts which percentages the request just allowed has reached. */
export function countWarnings(tables: Tables, counters: Counters): void {
  if (bill.plan == NONE) return;
  const plan = tables.plans.at(bill.plan);
  if (!plan.warns) return;
  const visitors = counters.visitors;
  for (let i = 0; i < plan.quotaCount; i++) {
    const quota = tables.quotas.at(plan.firstQuota + i);
    if (quota.warnAt == 0) continue;
    const count = reached(quota.warnAt, standingAt(i));
    if (count == 0) continue;
    const isVisitors = bill.consumer == NONE || quota.per == Per.Address;
    note(tables, visitors != null && isVisitors ? visitors : counters, quota, count);
  }
}

function note(tables: Tables, counters: Counters, quota: Quota, count: i32): void {
  const nowSeconds = bill.nowNanoseconds / NANOSECONDS;
  const charged = balanceOf(tables, counters, quota, bill);
  const consumerId = charged.consumerId;
  const meter = charged.meter ^ WARNED_METER;
  const end =
    quota.kind == QuotaKind.Local
      ? Local.endsAtSeconds(charged)
      : windowEnd(quota.window, windowStart(quota.window, nowSeconds));
  // It may move the others.
  counters.balances.reserve(1);
  const noted = counters.balances.open(consumerId, meter, QuotaKind.Local);
  noted.idleSweeps = 0;
  if (noted.leasedAtNanoseconds == end && noted.usedUnits >= count) return;
  const before = mark(counters, noted, end, count, nowSeconds);
  for (let k = before; k < count; k++) quota.warnings.add(k);
  noted.leasedAtNanoseconds = end;
  noted.usedUnits = max(before, count);
}

/** How many percentages were counted before, by any worker; `count` where that cannot be known, so that none is counted twice. */
function mark(counters: Counters, noted: Balance, end: i64, count: i32, nowSeconds: i64): i32 {
  for (let i = 0; i < MAX_ATTEMPTS; i++) {
    const found = openCell(counters.pool, noted, nowSeconds);
    if (found == null) {
      // Nobody else must take this for a place that they have not found.
      wasFull();
      return count;
    }
    const cell = changetype<Local.WindowCell>(found);
    const before = cell.windowSeconds == end ? <i32>cell.used : 0;
    if (before >= count) return before;
    cell.windowSeconds = end;
    cell.used = count;
    cell.overAtSeconds = end;
    const result = writeCell(counters.pool, nowSeconds);
    if (result == WriteResult.Stored) return before;
    if (result == WriteResult.Failed) return count;
  }
  return count;
}
