import { NONE } from "../bytes/rows";
import { ABSENT, View, lengthOf, literal, view } from "../bytes/view";
import { writeByte, writeView } from "../bytes/arena";
import { Per, Quota } from "../tables/quota";
import { Tables, findMembership } from "../tables/tables";
import { Counter } from "./call";

/*
 * What the rate limit service knows a counter by, beside its window: the values of the entries `quota` and `consumer`. They say nothing of
 * plans: what a consumer has used counts on when its plan changes. A quota's value is the name of its counter, behind what narrows it:
 *
 *   NAME                            per consumer
 *   API/NAME                        per API, and what an API does not list per operation
 *   API/OPERATION/NAME              an operation's own
 *   operation:API/OPERATION/NAME    per operation
 *   key:ID/NAME                     per key
 *   group:NAME                      per group; the consumer's value is the group's name
 *   observed:…                      only observed
 *
 * Names hold neither of `:` and `/`, so no two counters have one value. A request without a key or a group is counted per consumer, as
 * in Envoy.
 */
const OBSERVED = literal("observed:");
const OPERATION = literal("operation:");
const KEY = literal("key:");
const GROUP = literal("group:");
const SLASH: u8 = 0x2f;

/** The value of the entry `consumer`; ABSENT for callers without a key. */
export function consumerValue(tables: Tables, counter: Counter): View {
  if (counter.consumer == NONE) return ABSENT;
  const group = groupValue(tables, counter);
  return group == ABSENT ? tables.consumers.at(counter.consumer).name : group;
}

/** The name of the consumer's group, where a quota counts it; or ABSENT. */
function groupValue(tables: Tables, counter: Counter): View {
  if (quotaOf(tables, counter).per != Per.Group) return ABSENT;
  const membership = findMembership(tables, counter.consumer);
  return membership == null ? ABSENT : membership.name;
}

/** Bytes of what `writeQuotaValue` writes. */
export function quotaValueBytes(tables: Tables, counter: Counter): i32 {
  const quota = quotaOf(tables, counter);
  const operation = operationOf(quota, counter);
  let bytes =
    lengthOf(nameOf(quota)) + (counter.isObserved ? lengthOf(OBSERVED) : 0) + lengthOf(kindOf(tables, counter));
  if (isOfApi(quota, counter)) bytes += lengthOf(tables.apis.at(counter.api).name) + 1;
  if (operation != NONE) bytes += lengthOf(tables.operations.at(operation).name) + 1;
  return isOfKey(quota, counter) ? bytes + lengthOf(counter.keyId) + 1 : bytes;
}

export function writeQuotaValue(tables: Tables, counter: Counter): void {
  const quota = quotaOf(tables, counter);
  const operation = operationOf(quota, counter);
  if (counter.isObserved) writeView(OBSERVED);
  writeView(kindOf(tables, counter));
  if (isOfApi(quota, counter)) writePart(tables.apis.at(counter.api).name);
  if (operation != NONE) writePart(tables.operations.at(operation).name);
  if (isOfKey(quota, counter)) writePart(counter.keyId);
  writeView(nameOf(quota));
}

function writePart(name: View): void {
  writeView(name);
  writeByte(SLASH);
}

/** What tells counters apart whose names could be the same. */
function kindOf(tables: Tables, counter: Counter): View {
  const quota = quotaOf(tables, counter);
  if (isOfKey(quota, counter)) return KEY;
  if (quota.per == Per.Operation && counter.requested != NONE) return OPERATION;
  return groupValue(tables, counter) == ABSENT ? view(0, 0) : GROUP;
}

function nameOf(quota: Quota): View {
  return quota.counter == ABSENT ? quota.name : quota.counter;
}

function isOfApi(quota: Quota, counter: Counter): bool {
  return quota.per == Per.Api || quota.per == Per.Operation || counter.operation != NONE;
}

/** The operation that stands in the value, or NONE. */
function operationOf(quota: Quota, counter: Counter): i32 {
  return quota.per == Per.Operation ? counter.requested : counter.operation;
}

function isOfKey(quota: Quota, counter: Counter): bool {
  return quota.per == Per.Key && counter.keyId != ABSENT;
}

function quotaOf(tables: Tables, counter: Counter): Quota {
  const first =
    counter.operation == NONE
      ? tables.plans.at(counter.plan).firstQuota
      : tables.operations.at(counter.operation).firstQuota;
  return tables.quotas.at(first + counter.quota);
}
