import { begin, end, writeView, writeViews } from "../bytes/arena";
import { NONE } from "../bytes/rows";
import { ABSENT, View, literal } from "../bytes/view";
import { isSpelling, removeOtherSpellings, removeSpellings, setHeader } from "../request/headers";
import { Fact, IdentityHeader } from "../tables/disclosure";
import { Tables } from "../tables/tables";
import { Reason, decision } from "./decision";

/**
 * Removes what a client sent under the names in which the policy tells upstreams who calls, in every spelling; those that begin with
 * `x-tollgate-` are removed elsewhere. A header that is set afterwards replaces its own name, so only others of its spellings go.
 */
export function removeForged(tables: Tables): void {
  for (let i = 0; i < tables.identityHeaders.count; i++) {
    const header = tables.identityHeaders.at(i);
    if (header.isOwn) continue;
    if (knows(tables, header)) removeOtherSpellings(header.name);
    else removeSpellings(header.name);
  }
}

/** True for a name, in any spelling, under which the policy tells upstreams who calls. */
export function isForgeable(tables: Tables, name: View): bool {
  for (let i = 0; i < tables.identityHeaders.count; i++) {
    if (isSpelling(name, tables.identityHeaders.at(i).name)) return true;
  }
  return false;
}

/** Tells the upstream what the policy lets it know of the decision. */
export function writeIdentity(tables: Tables): void {
  for (let i = 0; i < tables.identityHeaders.count; i++) {
    const header = tables.identityHeaders.at(i);
    if (!knows(tables, header)) continue;
    const facts = header.facts;
    setHeader(header.name, popcnt(facts) == 1 ? valueOf(tables, <Fact>ctz(facts)) : dictionary(tables, facts));
  }
}

/** True when the decision has one of the facts that the header tells. */
function knows(tables: Tables, header: IdentityHeader): bool {
  if (decision.reason == Reason.Unmatched) return false;
  for (let rest = header.facts; rest != 0; rest &= rest - 1) {
    if (valueOf(tables, <Fact>ctz(rest)) != ABSENT) return true;
  }
  return false;
}

/** A fact of the current decision, or ABSENT. A request that passes as nobody's has nobody's key. */
function valueOf(tables: Tables, fact: Fact): View {
  switch (fact) {
    case Fact.Consumer:
      return decision.consumer == NONE ? ABSENT : tables.consumers.at(decision.consumer).name;
    case Fact.Plan:
      return decision.plan == NONE ? ABSENT : tables.plans.at(decision.plan).name;
    case Fact.Route:
      return decision.route;
    default:
      return decision.consumer == NONE ? ABSENT : decision.keyId;
  }
}

const KEYS: StaticArray<View> = [literal('consumer="'), literal('plan="'), literal('route="'), literal('key="')];
const SEPARATOR = literal(", ");
const QUOTE = literal('"');

/** `consumer="acme", plan="gold", key="k1"`: names and public ids hold no quotes and no backslashes. */
function dictionary(tables: Tables, facts: u32): View {
  begin(256);
  let some = false;
  for (let rest = facts; rest != 0; rest &= rest - 1) {
    const fact = ctz(rest);
    const value = valueOf(tables, <Fact>fact);
    if (value == ABSENT) continue;
    if (some) writeView(SEPARATOR);
    some = true;
    writeViews(unchecked(KEYS[fact]), value);
    writeView(QUOTE);
  }
  return end();
}
