import { begin, end, writeByte, writeNumber, writeView } from "../bytes/arena";
import { View, lengthOf, literal, pointerOf, view } from "../bytes/view";
import { Standing, UNKNOWN } from "../quota/attempt";
import { Plan } from "../tables/record";
import { Tables } from "../tables/tables";

const SEPARATOR = literal(", ");
const LIMIT = literal(";q=");
const WINDOW = literal(";w=");
const REMAINING = literal(";r=");
const RESET = literal(";t=");
/** Integers of structured fields have at most 15 digits (RFC 8941, 3.3.1); a limit may have 16. */
const MAX_INTEGER: i64 = 999_999_999_999_999;

/**
 * The structured fields of draft-ietf-httpapi-ratelimit-headers-10:
 * `ratelimit-policy: "per-second";q=10;w=1` and `ratelimit: "per-second";r=9;t=1`, one item for each quota of the plan.
 */
export function rateLimitPolicy(tables: Tables, plan: Plan, standings: usize): View {
  if (!isCurrent(tables, plan, standings)) renew(tables, plan, standings);
  return plan.policyText;
}

/** Only a new month, or a subscription with limits of its own, needs another value. */
function isCurrent(tables: Tables, plan: Plan, standings: usize): bool {
  for (let i = 0; i < plan.quotaCount; i++) {
    const quota = tables.quotas.at(plan.firstQuota + i);
    const state = standingAt(standings, i);
    if (quota.textLimit != state.limit || quota.textWindowSeconds != state.windowSeconds) return false;
  }
  return true;
}

function renew(tables: Tables, plan: Plan, standings: usize): void {
  begin();
  for (let i = 0; i < plan.quotaCount; i++) {
    const quota = tables.quotas.at(plan.firstQuota + i);
    const state = standingAt(standings, i);
    quota.textLimit = state.limit;
    quota.textWindowSeconds = state.windowSeconds;
    if (i > 0) writeSeparator();
    writeQuoted(quota.name);
    writeParameter(LIMIT, state.limit);
    writeParameter(WINDOW, state.windowSeconds);
  }
  const text = end();
  memory.copy(pointerOf(plan.policyText), pointerOf(text), lengthOf(text));
  plan.policyText = view(pointerOf(plan.policyText), lengthOf(text));
}

/** Bytes that a quota takes at most in the value, besides its name: `, "";q=999999999999999;w=4294967295`. */
const MAX_ITEM_BYTES = 35;

/** Makes room for the values of all plans. */
export function keepPolicyTexts(tables: Tables): void {
  for (let i = 0; i < tables.plans.count; i++) {
    const plan = tables.plans.at(i);
    let bytes = 0;
    for (let q = 0; q < plan.quotaCount; q++)
      bytes += MAX_ITEM_BYTES + lengthOf(tables.quotas.at(plan.firstQuota + q).name);
    plan.policyText = view(tables.texts.allocate(bytes), 0);
  }
}

/** Names only quotas whose standing is known; empty when there is none. */
export function rateLimit(tables: Tables, plan: Plan, standings: usize): View {
  begin();
  let some = false;
  for (let i = 0; i < plan.quotaCount; i++) {
    const state = standingAt(standings, i);
    if (state.remaining == UNKNOWN) continue;
    if (some) writeSeparator();
    some = true;
    writeQuoted(tables.quotas.at(plan.firstQuota + i).name);
    writeParameter(REMAINING, state.remaining);
    writeParameter(RESET, state.resetSeconds);
  }
  return end();
}

// @ts-ignore: decorator
@inline
function standingAt(standings: usize, index: i32): Standing {
  return changetype<Standing>(standings + <usize>index * offsetof<Standing>());
}

function writeSeparator(): void {
  writeView(SEPARATOR);
}

/** Names hold no quotes and no backslashes. */
function writeQuoted(name: View): void {
  writeByte(0x22);
  writeView(name);
  writeByte(0x22);
}

function writeParameter(start: View, value: i64): void {
  writeView(start);
  writeNumber(min(value, MAX_INTEGER));
}
