import { begin, end, writeByte, writeCount, writeNumber, writeView, writeViews } from "../bytes/arena";
import { ABSENT, View, literal } from "../bytes/view";
import { PERS } from "../config/contract";
import { ENVOY, MESH } from "../config/field";
import { decision } from "../decision/decision";
import { NEVER, keyUntil } from "../decision/me";
import { UNKNOWN, standingAt } from "../quota/attempt";
import { HIDDEN } from "../quota/peek";
import { QuotaKind } from "../tables/quota";
import { Tables } from "../tables/tables";
import { LAST_SECOND, writeTime } from "../time/date";

const API = literal('{"api":"');
const PLAN = literal('","plan":"');
const KEY_ID = literal('","keyId":');
const KEY_EXPIRES = literal(',"keyExpires":');
const QUOTAS = literal(',"quotas":[');
const NAME = literal('{"name":"');
const PER = literal('","per":"');
const SCOPE = literal('","scope":"');
const LIMIT = literal('","limit":');
const WINDOW = literal(',"windowSeconds":');
const USED = literal(',"used":');
const REMAINING = literal(',"remaining":');
const RESET = literal(',"resetSeconds":');
const NULL = literal("null");
const CLOSE = literal("]}\n");
const QUOTE: u8 = 0x22;
const COMMA: u8 = 0x2c;
const BRACE: u8 = 0x7d;

/**
 * The plan of the caller, its key's id, and what is left of its quotas, as JSON. All strings are names, which need no escapes. What is not
 * known is null; quotas that are only observed are left out, because for callers they do not exist.
 */
export function meBody(tables: Tables): View {
  begin(1024);
  writeViews(API, tables.apis.at(decision.api).name);
  writeViews(PLAN, tables.plans.at(decision.plan).name);
  writeView(KEY_ID);
  if (decision.keyId == ABSENT) writeView(NULL);
  else writeQuoted(decision.keyId);
  writeView(KEY_EXPIRES);
  if (keyUntil == NEVER || keyUntil > LAST_SECOND) writeView(NULL);
  else {
    writeByte(QUOTE);
    writeTime(keyUntil);
    writeByte(QUOTE);
  }
  writeView(QUOTAS);
  const plan = tables.plans.at(decision.plan);
  let some = false;
  for (let i = 0; i < plan.quotaCount; i++) {
    if (standingAt(i).limit == HIDDEN) continue;
    if (some) writeByte(COMMA);
    some = true;
    writeStanding(tables, plan.firstQuota + i, i);
  }
  writeView(CLOSE);
  return end();
}

function writeStanding(tables: Tables, number: i32, index: i32): void {
  const quota = tables.quotas.at(number);
  const standing = standingAt(index);
  writeViews(NAME, quota.name);
  writeViews(PER, unchecked(PERS[quota.per]));
  writeViews(SCOPE, quota.kind == QuotaKind.Mesh ? MESH : ENVOY);
  writeCount(LIMIT, standing.limit);
  writeCount(WINDOW, standing.windowSeconds);
  const isKnown = standing.remaining > UNKNOWN;
  writeOrNull(USED, standing.limit - standing.remaining, isKnown);
  writeOrNull(REMAINING, standing.remaining, isKnown);
  writeOrNull(RESET, standing.resetSeconds, isKnown);
  writeByte(BRACE);
}

function writeOrNull(before: View, value: i64, isKnown: bool): void {
  writeView(before);
  if (isKnown) writeNumber(value);
  else writeView(NULL);
}

function writeQuoted(text: View): void {
  writeByte(QUOTE);
  writeView(text);
  writeByte(QUOTE);
}
