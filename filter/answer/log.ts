import { NONE } from "../bytes/rows";
import { begin, end, writeView } from "../bytes/arena";
import { ABSENT, View, literal } from "../bytes/view";
import { decision } from "../decision/decision";
import { codeOf } from "../decision/reason";
import { Tables } from "../tables/tables";

const REASON = literal("reason=");
const API = literal(" api=");
const ROUTE = literal(" route=");
const CONSUMER = literal(" consumer=");
const KEY = literal(" key=");
const PLAN = literal(" plan=");

/** What access logs show of the decision: names and public ids only, so nothing in it is secret or needs quoting. */
export function logText(tables: Tables | null): View {
  begin(256);
  writeView(REASON);
  writeView(codeOf(decision.reason));
  if (tables == null) return end();
  if (decision.api != NONE) write(API, tables.apis.at(decision.api).name);
  write(ROUTE, decision.route);
  if (decision.consumer != NONE) write(CONSUMER, tables.consumers.at(decision.consumer).name);
  write(KEY, decision.keyId);
  if (decision.plan != NONE) write(PLAN, tables.plans.at(decision.plan).name);
  return end();
}

function write(label: View, value: View): void {
  if (value == ABSENT) return;
  writeView(label);
  writeView(value);
}
