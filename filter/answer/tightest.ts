import { begin, end, writeNumber } from "../bytes/arena";
import { NONE } from "../bytes/rows";
import { MAX_QUOTAS } from "../config/contract";
import { View } from "../bytes/view";
import { Reason, decision } from "../decision/decision";
import { UNKNOWN, bill, standingAt } from "../quota/attempt";
import { Tables } from "../tables/tables";
import { NANOSECONDS } from "../time/window";

/**
 * `X-RateLimit-Limit`, `-Remaining` and `-Reset`, as GitHub and others have them, tell of one quota only: of the one that refused, or of
 * the one of which the smallest part is left.
 */
@unmanaged
export class Tightest {
  limit: i64;
  remaining: i64;
  /** When the window ends or the bucket is full, in seconds since 1970. */
  resetAtSeconds: i64;
}

/** Fills in what the decision's quotas have come to; false where callers are told of none, or it is not known what is left. */
export function findTightest(tables: Tables, found: Tightest): bool {
  const index = decision.reason == Reason.QuotaExceeded ? decision.quota : scarcest(countOf(tables));
  if (index == NONE) return false;
  const standing = standingAt(index);
  if (standing.remaining <= UNKNOWN) return false;
  found.limit = standing.limit;
  found.remaining = standing.remaining;
  found.resetAtSeconds = bill.nowNanoseconds / NANOSECONDS + standing.resetSeconds;
  return true;
}

/** The same of the standings as an answer has settled them; nothing changes where callers are told of none. */
export function findTightestNow(now: i64, found: Tightest): void {
  const index = scarcest(MAX_QUOTAS);
  if (index == NONE) return;
  const standing = standingAt(index);
  found.limit = standing.limit;
  found.remaining = standing.remaining;
  found.resetAtSeconds = now / NANOSECONDS + standing.resetSeconds;
}

function countOf(tables: Tables): i32 {
  return bill.operation == NONE ? tables.plans.at(decision.plan).quotaCount : bill.quotaCount;
}

/** NONE where nothing that callers may see is known. */
function scarcest(count: i32): i32 {
  let found = NONE;
  let least: f64 = Infinity;
  for (let i = 0; i < count; i++) {
    const standing = standingAt(i);
    if (standing.remaining <= UNKNOWN) continue;
    const part = <f64>standing.remaining / <f64>standing.limit;
    if (part >= least) continue;
    least = part;
    found = i;
  }
  return found;
}

/** The number as a header's value. */
export function numberText(value: i64): View {
  begin(MAX_DIGITS);
  writeNumber(value);
  return end();
}

/** Of a number below 2^53. */
const MAX_DIGITS = 16;
