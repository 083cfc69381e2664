import { NONE } from "../bytes/rows";
import { keepCorsTexts } from "../answer/cors";
import { keepPolicyTexts } from "../answer/reply";
import { begin, end, writeFormat } from "../bytes/arena";
import { ABSENT, View, literal, viewOf } from "../bytes/view";
import { Keyring } from "../keyring/keyring";
import { Api, Offer, Operation } from "../tables/api";
import { Consumer, Subscription, Terms } from "../tables/consumer";
import { Tables, findOffer } from "../tables/tables";
import { WARNING } from "../tables/disclosure";
import { LogField } from "../tables/logField";
import { HAS_QUERY } from "../tables/route";
import { FLIGHT_BIT, Mode, Per, QuotaKind, QuotaList } from "../tables/quota";
import { indexRoutes } from "../route/keyHeader";
import { MAX_MESH_QUOTAS, MAX_QUOTAS } from "./contract";
import { linkWorkloads } from "./identity";
import { linkCalendars } from "./calendar";
import { linkKeySources } from "./keySource";
import { Names, resolve } from "./names";
import { linkOwnLimit } from "./ownLimit";
import { Reader } from "./reader";
import { guardKeys, linkKeyApis } from "./restriction";
import { linkSubjects } from "./token";

/**
 * Resolves names to indexes once everything is read, because Istio prints fields in any order. Afterwards no record points into the
 * document any more.
 */
export function link(reader: Reader, tables: Tables, keyring: Keyring, names: Names): void {
  linkOffers(reader, tables, names);
  linkKeyApis(reader, tables, keyring, names);
  linkReferences(reader, tables, names);
  linkConsumers(reader, tables, names);
  needRateLimitService(reader, tables);
  linkCalendars(reader, tables, names);
  linkVisitors(reader, tables, names);
  linkSubjects(reader, tables);
  names.free();
  if (reader.failed) return;
  linkModes(tables);
  linkWarnings(tables);
  linkSettlements(tables);
  tables.isTimeless = isTimeless(tables, keyring);
  linkKeySources(tables);
  tables.mounts.build();
  indexRoutes(tables);
  keepPolicyTexts(tables);
  keepCorsTexts(tables);
  buildKeyring(reader, tables, keyring);
  guardKeys(tables, keyring);
  linkWorkloads(reader, tables);
}

/** Finds the buckets to which answers may give tokens back. */
function linkSettlements(tables: Tables): void {
  if (tables.settlements.count == 0) return;
  for (let i = 0; i < tables.quotas.count; i++) tables.quotas.at(i).isSettled = true;
}

/** Finds the plans that warn. */
function linkWarnings(tables: Tables): void {
  let isAny: bool = false;
  for (let i = 0; i < tables.plans.count; i++) {
    const plan = tables.plans.at(i);
    for (let q = plan.firstQuota; q < plan.firstQuota + plan.quotaCount; q++) {
      if (tables.quotas.at(q).warnAt != 0) plan.warns = true;
    }
    if (plan.warns) isAny = true;
  }
  if (isAny) tables.rateLimitHeaders |= WARNING;
}

/** Refuses mesh-wide quotas without a rate limit service. */
function needRateLimitService(reader: Reader, tables: Tables): void {
  if (tables.rateLimitService.cluster != ABSENT) return;
  for (let i = 0; i < tables.quotas.count; i++) {
    if (tables.quotas.at(i).kind == QuotaKind.Mesh)
      return reader.fail(literal("a quota has the scope mesh, so there must be a rate limit service"));
  }
}

function linkOffers(reader: Reader, tables: Tables, names: Names): void {
  for (let i = 0; i < tables.offers.count; i++) {
    const offer = tables.offers.at(i);
    offer.plan = names.plans.find(offer.planName);
    if (offer.plan == NONE) {
      const index = i - tables.apis.at(offer.api).firstOffer;
      return reader.fail(literal("apis[%d].plans[%d]: no plan named %q"), offer.api, index, offer.planName);
    }
    offer.planName = tables.plans.at(offer.plan).name;
  }
}

/** Plans of callers without a key. There is no key to count by, and a service cannot hold a counter for every address. */
function linkVisitors(reader: Reader, tables: Tables, names: Names): void {
  for (let a = 0; a < tables.apis.count; a++) {
    const api = tables.apis.at(a);
    if (api.visitorPlan == NONE) continue;
    const name = viewOf(api.visitorPlan);
    api.visitorPlan = names.plans.find(name);
    if (api.visitorPlan == NONE) return reader.fail(literal("apis[%d].anonymousPlan.plan: no plan named %q"), a, name);
    api.visitorOffer = findOffer(tables, a, api.visitorPlan);
    if (api.visitorOffer == NONE)
      return reader.fail(literal("apis[%d].anonymousPlan.plan: the API does not offer the plan %q"), a, name);
    tables.hasVisitors = true;
    const plan = tables.plans.at(api.visitorPlan);
    let mesh = plan.meshCount;
    for (let o = api.firstOperation; o < api.firstOperation + api.operationCount; o++)
      mesh += tables.operations.at(o).meshCount;
    if (mesh > 0)
      return reader.fail(
        literal("apis[%d].anonymousPlan: neither plan nor operations may have quotas of the scope mesh"),
        a,
      );
    for (let q = plan.firstQuota; q < plan.firstQuota + plan.quotaCount; q++) {
      if (tables.quotas.at(q).per == Per.Key)
        return reader.fail(literal("apis[%d].anonymousPlan.plan: the plan %q has a quota per key"), a, name);
    }
    if (plan.flightLimit > 0 && plan.flightPer == Per.Key)
      return reader.fail(literal("apis[%d].anonymousPlan.plan: the plan %q has a concurrency per key"), a, name);
  }
}

/** Plans and consumers that operations and routes name, and quotas of operations beside those of plans. */
function linkReferences(reader: Reader, tables: Tables, names: Names): void {
  for (let a = 0; a < tables.apis.count; a++) {
    const api = tables.apis.at(a);
    for (let o = 0; o < api.operationCount; o++) {
      const operation = tables.operations.at(api.firstOperation + o);
      const rule = literal("apis[%d].operations[%d].plans[%d]: no plan named %q");
      resolve(reader, tables, names.plans, operation.firstPlan, operation.planCount, rule, a, o);
      if (operation.quotaCount > 0) needRoom(reader, tables, api, operation, a, o);
    }
    for (let r = 0; r < api.routeCount; r++) {
      const route = tables.routes.at(api.firstRoute + r);
      const planRule = literal("apis[%d].routes[%d].plans[%d]: no plan named %q");
      resolve(reader, tables, names.plans, route.firstPlan, route.planCount, planRule, a, r);
      const consumerRule = literal("apis[%d].routes[%d].consumers[%d]: no consumer named %q");
      const consumers = route.consumerCount & ~HAS_QUERY;
      resolve(reader, tables, names.consumers, route.firstConsumer, consumers, consumerRule, a, r);
    }
  }
  for (let i = 0; i < tables.references.count; i++) tables.references.at(i).name = ABSENT;
}

/** A request is charged to the quotas of its plan and its operation together. */
function needRoom(reader: Reader, tables: Tables, api: Api, operation: Operation, a: i32, o: i32): void {
  for (let i = api.firstOffer; i < api.firstOffer + api.offerCount; i++) {
    const plan = tables.plans.at(tables.offers.at(i).plan);
    if (plan.quotaCount + operation.quotaCount > MAX_QUOTAS)
      return reader.fail(
        literal("apis[%d].operations[%d]: more than %d quotas together with the plan %q"),
        a,
        o,
        MAX_QUOTAS,
        plan.name,
      );
    if (plan.meshCount + operation.meshCount > MAX_MESH_QUOTAS)
      return reader.fail(
        literal("apis[%d].operations[%d]: more than %d quotas of the scope mesh together with the plan %q"),
        a,
        o,
        MAX_MESH_QUOTAS,
        plan.name,
      );
  }
}

function linkConsumers(reader: Reader, tables: Tables, names: Names): void {
  for (let i = 0; i < tables.consumers.count; i++) {
    const consumer = tables.consumers.at(i);
    if (consumer.plan != NONE) {
      const name = viewOf(consumer.plan);
      consumer.plan = names.plans.find(name);
      if (consumer.plan == NONE) return reader.fail(literal("consumers[%d].plan: no plan named %q"), i, name);
    }
    for (let k = 0; k < consumer.subscriptionCount; k++) {
      if (!linkSubscription(reader, tables, names, i, k)) return;
    }
    sortSubscriptions(tables, consumer);
    for (let k = 1; k < consumer.subscriptionCount; k++) {
      const api = tables.subscriptions.at(consumer.firstSubscription + k).api;
      if (api == tables.subscriptions.at(consumer.firstSubscription + k - 1).api)
        return reader.fail(literal("consumers[%d]: a second subscription to API %q"), i, tables.apis.at(api).name);
    }
  }
}

const KEPT: usize = memory.data(offsetof<Subscription>(), 8);

/** By the numbers of their APIs. The tool writes them in the order of the APIs' names, and APIs too: then nothing moves. */
function sortSubscriptions(tables: Tables, consumer: Consumer): void {
  const first = consumer.firstSubscription;
  const size = offsetof<Subscription>();
  for (let i = first + 1; i < first + consumer.subscriptionCount; i++) {
    const api = tables.subscriptions.at(i).api;
    if (tables.subscriptions.at(i - 1).api <= api) continue;
    memory.copy(KEPT, changetype<usize>(tables.subscriptions.at(i)), size);
    let to = i;
    for (; to > first && tables.subscriptions.at(to - 1).api > api; to--)
      memory.copy(
        changetype<usize>(tables.subscriptions.at(to)),
        changetype<usize>(tables.subscriptions.at(to - 1)),
        size,
      );
    memory.copy(changetype<usize>(tables.subscriptions.at(to)), KEPT, size);
  }
}

function linkSubscription(reader: Reader, tables: Tables, names: Names, consumer: i32, index: i32): bool {
  const subscription = tables.subscriptions.at(tables.consumers.at(consumer).firstSubscription + index);
  const apiName = viewOf(subscription.api);
  const planName = viewOf(subscription.plan);
  subscription.api = names.apis.find(apiName);
  subscription.plan = names.plans.find(planName);
  if (subscription.api == NONE) return refuse(reader, consumer, index, literal("api: no API named %q"), apiName);
  if (subscription.plan == NONE) return refuse(reader, consumer, index, literal("plan: no plan named %q"), planName);
  subscription.offer = findOffer(tables, subscription.api, subscription.plan);
  if (subscription.offer == NONE)
    return refuse(reader, consumer, index, literal("plan: the API does not offer the plan %q"), planName);
  for (let i = 0; i < <i32>subscription.limitCount; i++) {
    const name = viewOf(tables.limits.at(subscription.firstLimit + i).quota);
    const problem = linkOwnLimit(tables, subscription.firstLimit + i, subscription.plan);
    if (problem != ABSENT) return refuse(reader, consumer, index, problem, name);
  }
  return true;
}

function refuse(reader: Reader, consumer: i32, index: i32, rule: View, name: View): bool {
  begin();
  writeFormat(rule, name);
  reader.fail(literal("consumers[%d].subscriptions[%d].%s"), consumer, index, end());
  return false;
}

/**
 * Works out what each mode comes to once everything is read: the innermost that is given counts, of quota, plan, API and policy, in this
 * order. Of an API that is its own record, of plan and quotas the offer, because a plan may be observed on one API and in force on another.
 */
function linkModes(tables: Tables): void {
  const policy = within(Mode.Enforce, tables.mode);
  let isAnyInForce = false;
  let isAny = policy == Mode.Observe;
  for (let i = 0; i < tables.apis.count; i++) {
    const api = tables.apis.at(i);
    api.mode = within(policy, api.mode);
    if (api.mode == Mode.Observe) isAny = true;
    else isAnyInForce = true;
    for (let o = api.firstOperation; o < api.firstOperation + api.operationCount; o++) {
      const operation = tables.operations.at(o);
      operation.observedQuotas = observedIn(tables, operation, api.mode);
      if (operation.observedQuotas != 0) isAny = true;
    }
  }
  for (let i = 0; i < tables.offers.count; i++) if (linkOffer(tables, tables.offers.at(i))) isAny = true;
  tables.mode = policy;
  tables.isAmbiguousObserved = policy == Mode.Observe && !isAnyInForce;
  tables.observes = isAny;
  // The field says that a request was only observed: where that cannot be, no request has to pay for it.
  if (isAny) return;
  tables.unusedLogFields = tables.logFields & (1 << LogField.Mode);
  tables.logFields ^= tables.unusedLogFields;
}

/** True where nothing begins, ends or is counted: then no request has to read the clock. */
function isTimeless(tables: Tables, keyring: Keyring): bool {
  if (tables.quotas.count > 0 || tables.countsFlights || tables.lifecycles.count > 1) return false;
  // How often callers ask for their quotas is counted too.
  for (let i = 0; i < tables.apis.count; i++) if (tables.apis.at(i).mePath != ABSENT) return false;
  return !hasDates(keyring.terms) && !hasDates(tables.terms);
}

function hasDates(terms: Terms): bool {
  for (let i = 0; i < terms.count; i++) {
    const term = terms.at(i);
    if (term.from != 0 || term.until != i64.MAX_VALUE) return true;
  }
  return false;
}

function linkOffer(tables: Tables, offer: Offer): bool {
  const plan = tables.plans.at(offer.plan);
  const mode = within(tables.apis.at(offer.api).mode, plan.mode);
  offer.observes = mode == Mode.Observe;
  offer.observedQuotas = observedIn(tables, plan, mode);
  if (within(mode, plan.flightMode) == Mode.Observe && plan.flightLimit > 0) offer.observedQuotas |= FLIGHT_BIT;
  if (tables.apis.at(offer.api).mode == Mode.Observe || offer.observedQuotas != 0) plan.isUnusual = true;
  return offer.observes || offer.observedQuotas != 0;
}

/** A bit for each quota that is only observed. */
function observedIn(tables: Tables, list: QuotaList, mode: Mode): u32 {
  let bits: u32 = 0;
  for (let i = 0; i < list.quotaCount; i++) {
    if (within(mode, tables.quotas.at(list.firstQuota + i).mode) == Mode.Observe) bits |= 1 << i;
  }
  return bits;
}

function within(outer: Mode, own: Mode): Mode {
  return own == Mode.Inherited ? outer : own;
}

function buildKeyring(reader: Reader, tables: Tables, keyring: Keyring): void {
  const number = keyring.build();
  if (number == NONE) return;
  const one = keyring.keys.at(keyring.twin);
  const two = keyring.keys.at(number);
  reader.fail(
    literal("key %q of consumer %q has the digest of key %q of consumer %q"),
    two.id,
    tables.consumers.at(two.consumer).name,
    one.id,
    tables.consumers.at(one.consumer).name,
  );
}
