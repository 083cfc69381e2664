import { NONE } from "../bytes/rows";
import { ABSENT, literal } from "../bytes/view";
import { Reason, statusOf } from "../decision/decision";
import { FLIGHT_ID, PLAN_ID, counterId, numberId } from "../tables/counterId";
import { NO_REFUSAL, Per, Plan, Quota, QuotaKind, QuotaList } from "../tables/quota";
import { Tables } from "../tables/tables";
import { decodeCalendar } from "./calendar";
import { Names } from "./names";
import { decodeQuota, finishQuota, readWord } from "./quota";
import { Reader } from "./reader";
import { readDetail, readMode, readName } from "./rule";
import { CONCURRENCY_PERS, MAX_CONCURRENCY, MAX_MESH_QUOTAS, MAX_QUOTAS } from "./contract";
import * as Field from "./field";

export function decodePlan(reader: Reader, tables: Tables, names: Names): void {
  const plan = tables.plans.add();
  plan.anchors = NONE;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.NAME, 0)) {
      const name = readName(reader);
      if (!reader.failed && !names.plans.add(name)) reader.fail(literal("a second plan named %q"), name);
      plan.name = tables.texts.keep(name);
    } else if (reader.takes(Field.QUOTAS, 1)) {
      decodeQuotas(reader, tables, plan);
    } else if (reader.takes(Field.MODE, 2)) {
      plan.mode = readMode(reader);
    } else if (reader.takes(Field.REFUSAL, 3)) {
      plan.refusal = decodeRefusal(reader, tables);
    } else if (reader.takes(Field.CONCURRENCY, 5)) {
      decodeConcurrency(reader, tables, plan);
    } else if (reader.takes(Field.CALENDAR, 4)) {
      plan.anchors = tables.calendars.ofPlans.count;
      decodeCalendar(reader, tables.calendars.ofPlans.add(), NONE);
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
  finishConcurrency(plan);
  countAddresses(tables, plan);
  // What needs the plan's name, which may come after its quotas in the document.
  for (let i = 0; i < plan.quotaCount && !reader.failed; i++) {
    const quota = tables.quotas.at(plan.firstQuota + i);
    finishQuota(quota);
    finishCounter(reader, tables, plan, quota, i);
  }
}

/**
 * What counts per API or operation is apart anyway, because a consumer has one plan on each; a group's counter is that of all its consumers,
 * and the rate limit service has its own way.
 */
function finishCounter(reader: Reader, tables: Tables, plan: Plan, quota: Quota, index: i32): void {
  quota.ownMeter = quota.meter;
  if (quota.counter == ABSENT && quota.kind != QuotaKind.Mesh && hasMore(quota.per))
    quota.ownMeter ^= counterId(PLAN_ID, 0, plan.name);
  // Spent from twice, it would have too few units for the second.
  for (let i = 0; i < index; i++) {
    const other = tables.quotas.at(plan.firstQuota + i);
    if (other.meter == quota.meter)
      reader.fail(literal("the quotas %q and %q must not have one counter"), other.name, quota.name);
  }
}

/** True of what a consumer has on several APIs together, whatever its plans there. */
function hasMore(per: Per): bool {
  return per == Per.Consumer || per == Per.Key || per == Per.Address;
}

function decodeRefusal(reader: Reader, tables: Tables): i32 {
  if (tables.refusals.count == NO_REFUSAL) tables.refusals.add();
  tables.hasRefusals = true;
  const number = tables.refusals.count;
  const refusal = tables.refusals.add();
  refusal.status = statusOf(Reason.QuotaExceeded);
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.STATUS, 0)) refusal.status = <u32>reader.integer(400, 499);
    else if (reader.takes(Field.DETAIL, 1)) refusal.detail = tables.texts.keep(readDetail(reader));
    else if (reader.takes(Field.TYPE, 2)) refusal.type = tables.texts.keep(readDetail(reader));
    else reader.unknownField();
  }
  return number;
}

/** How many requests may be in flight at once. */
function decodeConcurrency(reader: Reader, tables: Tables, plan: Plan): void {
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.LIMIT, 0)) plan.flightLimit = reader.integer(1, MAX_CONCURRENCY);
    else if (reader.takes(Field.PER, 1))
      plan.flightPer = <Per>(
        readWord(reader, CONCURRENCY_PERS, literal("must be consumer, api, operation, key, group or address"))
      );
    else if (reader.takes(Field.MODE, 2)) plan.flightMode = readMode(reader);
    else reader.unknownField();
  }
  reader.needs(0, Field.LIMIT);
  tables.countsFlights = true;
}

/**
 * To be called when the plan's name is known. Each plan counts for itself, as requests end with the plan under which they came; but those of
 * a group are counted together, whatever plans its consumers have.
 */
function finishConcurrency(plan: Plan): void {
  plan.counterCount = plan.quotaCount;
  if (plan.flightLimit == 0) return;
  plan.counterCount++;
  plan.isUnusual = true;
  plan.flightMeter = plan.flightPer == Per.Group ? numberId(FLIGHT_ID, 0) : counterId(FLIGHT_ID, 1, plan.name);
}

/** What is counted by address: anybody can make many of those, so they are kept with the visitors. */
function countAddresses(tables: Tables, plan: Plan): void {
  if (plan.flightLimit > 0 && plan.flightPer == Per.Address) plan.addressCount++;
  for (let i = plan.firstQuota; i < plan.firstQuota + plan.quotaCount; i++) {
    if (tables.quotas.at(i).per == Per.Address) plan.addressCount++;
  }
  if (plan.addressCount == 0) return;
  plan.isUnusual = true;
  tables.hasVisitors = true;
}

/** The quotas of a plan, or those of an operation. */
export function decodeQuotas(reader: Reader, tables: Tables, list: QuotaList): void {
  list.firstQuota = tables.quotas.count;
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    if (i == MAX_QUOTAS) reader.fail(literal("at most %d quotas to a plan"), MAX_QUOTAS);
    const quota = decodeQuota(reader, tables, list.firstQuota);
    if (quota.kind == QuotaKind.Mesh && ++list.meshCount > MAX_MESH_QUOTAS)
      reader.fail(literal("at most %d quotas of a plan may have the scope mesh"), MAX_MESH_QUOTAS);
  }
  list.quotaCount = tables.quotas.count - list.firstQuota;
}
