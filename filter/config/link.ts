import { viewOf } from "../bytes/name";
import { ABSENT, equals, lengthOf } from "../bytes/view";
import { Mount, NONE } from "../tables/record";
import { Tables } from "../tables/tables";
import { findOffer } from "../tables/offer";
import { Names } from "./names";
import { Reader } from "./reader";

/**
 * Turns names into indexes once everything is read, because Istio prints fields in any order. Afterwards no record points
 * into the document any more.
 */
export function link(reader: Reader, tables: Tables, names: Names): void {
  linkOffers(reader, tables, names);
  linkRoutes(reader, tables, names);
  linkConsumers(reader, tables, names);
  needLedger(reader, tables);
  names.free();
  if (reader.failed) return;
  sortMounts(tables);
  buildKeyring(reader, tables);
}

/** Quotas of the mesh are counted somewhere. */
function needLedger(reader: Reader, tables: Tables): void {
  if (tables.ledger.cluster != ABSENT) return;
  for (let i = 0; i < tables.quotas.count; i++) {
    if (tables.quotas.at(i).mesh) return reader.fail("a quota has the scope mesh, so there must be a ledger");
  }
}

function linkOffers(reader: Reader, tables: Tables, names: Names): void {
  for (let i = 0; i < tables.offers.count; i++) {
    const offer = tables.offers.at(i);
    offer.plan = names.plans.find(offer.planName);
    if (offer.plan == NONE) {
      const place = "apis[" + offer.api.toString() + "].plans[" + (i - tables.apis.at(offer.api).firstOffer).toString() + "]";
      return reader.fail(place + ": no plan named " + Reader.quote(offer.planName));
    }
    offer.planName = tables.plans.at(offer.plan).name;
  }
}

function linkRoutes(reader: Reader, tables: Tables, names: Names): void {
  for (let a = 0; a < tables.apis.count; a++) {
    const api = tables.apis.at(a);
    for (let r = 0; r < api.routeCount; r++) {
      const route = tables.routes.at(api.firstRoute + r);
      const place = "apis[" + a.toString() + "].routes[" + r.toString() + "]";
      for (let i = 0; i < route.planCount; i++) {
        const reference = tables.references.at(route.firstPlan + i);
        reference.index = names.plans.find(reference.name);
        if (reference.index == NONE) return reader.fail(place + ".plans[" + i.toString() + "]: no plan named " + Reader.quote(reference.name));
      }
      for (let i = 0; i < route.consumerCount; i++) {
        const reference = tables.references.at(route.firstConsumer + i);
        reference.index = names.consumers.find(reference.name);
        if (reference.index == NONE) {
          return reader.fail(place + ".consumers[" + i.toString() + "]: no consumer named " + Reader.quote(reference.name));
        }
      }
    }
  }
  for (let i = 0; i < tables.references.count; i++) tables.references.at(i).name = ABSENT;
}

function linkConsumers(reader: Reader, tables: Tables, names: Names): void {
  for (let i = 0; i < tables.consumers.count; i++) {
    const consumer = tables.consumers.at(i);
    if (consumer.plan != NONE) {
      const name = viewOf(consumer.plan);
      consumer.plan = names.plans.find(name);
      if (consumer.plan == NONE) return reader.fail("consumers[" + i.toString() + "].plan: no plan named " + Reader.quote(name));
    }
    for (let k = 0; k < consumer.subscriptionCount; k++) {
      if (!linkSubscription(reader, tables, names, i, k)) return;
    }
  }
}

function linkSubscription(reader: Reader, tables: Tables, names: Names, consumer: i32, index: i32): bool {
  const subscription = tables.subscriptions.at(tables.consumers.at(consumer).firstSubscription + index);
  const apiName = viewOf(subscription.api);
  const planName = viewOf(subscription.plan);
  subscription.api = names.apis.find(apiName);
  subscription.plan = names.plans.find(planName);
  let problem = "";
  if (subscription.api == NONE) problem = ".api: no API named " + Reader.quote(apiName);
  else if (subscription.plan == NONE) problem = ".plan: no plan named " + Reader.quote(planName);
  else {
    subscription.offer = findOffer(tables, subscription.api, subscription.plan);
    if (subscription.offer == NONE) problem = ".plan: the API does not offer the plan " + Reader.quote(planName);
  }
  for (let i = 0; i < subscription.limitCount && problem.length == 0; i++) {
    const replacement = tables.limits.at(subscription.firstLimit + i);
    const plan = tables.plans.at(subscription.plan);
    const name = viewOf(replacement.quota);
    replacement.quota = NONE;
    for (let q = plan.firstQuota; q < plan.firstQuota + plan.quotaCount; q++) {
      if (equals(tables.quotas.at(q).name, name)) replacement.quota = q;
    }
    if (replacement.quota == NONE) problem = ".limits: the plan has no quota named " + Reader.quote(name);
    else if (tables.quotas.at(replacement.quota).burst > 0) {
      problem = ".limits: the quota " + Reader.quote(name) + " is a bucket, which has no limit to replace";
    }
  }
  if (problem.length > 0) {
    reader.fail("consumers[" + consumer.toString() + "].subscriptions[" + index.toString() + "]" + problem);
    return false;
  }
  return true;
}

/** Exact hosts, then wildcards from the longest, then any host; under one host the longest path first. */
function sortMounts(tables: Tables): void {
  const mounts = tables.mounts;
  for (let i = 1; i < mounts.count; i++) {
    for (let k = i; k > 0 && before(mounts.at(k), mounts.at(k - 1)); k--) swap(mounts.at(k), mounts.at(k - 1));
  }
}

function before(a: Mount, b: Mount): bool {
  if (a.hostKind != b.hostKind) return a.hostKind > b.hostKind;
  if (lengthOf(a.host) != lengthOf(b.host)) return lengthOf(a.host) > lengthOf(b.host);
  return lengthOf(a.path) > lengthOf(b.path);
}

function swap(a: Mount, b: Mount): void {
  const size = <i32>offsetof<Mount>();
  for (let i = 0; i < size; i += 8) {
    const kept = load<u64>(changetype<usize>(a) + i);
    store<u64>(changetype<usize>(a) + i, load<u64>(changetype<usize>(b) + i));
    store<u64>(changetype<usize>(b) + i, kept);
  }
}

function buildKeyring(reader: Reader, tables: Tables): void {
  const keyring = tables.keyring;
  const number = keyring.build();
  if (number == NONE) return;
  const one = keyring.keys.at(keyring.twin);
  const two = keyring.keys.at(number);
  reader.fail("key " + Reader.quote(two.id) + " of consumer " + Reader.quote(tables.consumers.at(two.consumer).name)
    + " has the digest of key " + Reader.quote(one.id) + " of consumer " + Reader.quote(tables.consumers.at(one.consumer).name));
}
