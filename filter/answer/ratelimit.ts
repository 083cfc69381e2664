import { View } from "../bytes/view";
import { begin, end, writeByte, writeNumber, writeView } from "../bytes/writer";
import { Standing } from "../quota/standing";
import { UNKNOWN } from "../quota/pool";
import { Plan } from "../tables/record";
import { Tables } from "../tables/tables";

/**
 * The structured fields of draft-ietf-httpapi-ratelimit-headers-10:
 * `ratelimit-policy: "per-second";q=10;w=1` and `ratelimit: "per-second";r=9;t=1`, one item for each quota of the plan.
 */
export function rateLimitPolicy(tables: Tables, plan: Plan, standings: usize): View {
  begin();
  for (let i = 0; i < plan.quotaCount; i++) {
    const state = changetype<Standing>(standings + <usize>i * offsetof<Standing>());
    if (i > 0) writeSeparator();
    writeQuoted(tables.quotas.at(plan.firstQuota + i).name);
    writeParameter(0x71, state.limit);
    writeParameter(0x77, state.windowSeconds);
  }
  return end();
}

/** Only quotas whose standing is known are named; empty when none is. */
export function rateLimit(tables: Tables, plan: Plan, standings: usize): View {
  begin();
  let some = false;
  for (let i = 0; i < plan.quotaCount; i++) {
    const state = changetype<Standing>(standings + <usize>i * offsetof<Standing>());
    if (state.remaining == UNKNOWN) continue;
    if (some) writeSeparator();
    some = true;
    writeQuoted(tables.quotas.at(plan.firstQuota + i).name);
    writeParameter(0x72, state.remaining);
    writeParameter(0x74, state.resetSeconds);
  }
  return end();
}

function writeSeparator(): void {
  writeByte(0x2c);
  writeByte(0x20);
}

/** Names hold no quotes and no backslashes. */
function writeQuoted(name: View): void {
  writeByte(0x22);
  writeView(name);
  writeByte(0x22);
}

function writeParameter(letter: u8, value: i64): void {
  writeByte(0x3b);
  writeByte(letter);
  writeByte(0x3d);
  writeNumber(value);
}
