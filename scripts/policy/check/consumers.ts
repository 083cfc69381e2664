import { DEFAULT_ROUTE } from '../../contract/table.ts';
import { Holdings, type Grantee } from '../compile/holding.ts';
import { epochSeconds } from '../schema/value.ts';
import { quote } from '../secret.ts';
import {
  Names,
  type ConsumerDraft,
  type Draft,
  type KeyDraft,
  type OwnLimitDraft,
  type Place,
  type PolicyDraft,
  type Report,
  type RouteDraft,
  type SubscriptionDraft,
} from './draft.ts';
import { lifecycleOf, needsNoUpstream } from './lifecycle.ts';

/** Everything that is referred to by name must exist; a hint says what does. */
export function checkNames(root: PolicyDraft, report: Report): void {
  const plans = namesOf(root.get('plans'));
  const upstreams = namesOf(root.get('upstreams'));
  const consumers = namesOf(root.get('consumers'));
  const apis = namesOf(root.get('apis')) ?? new Names([]);
  for (const api of root.get('apis').entries) {
    refer(api.get('plans').items, plans, 'plan', report);
    checkPlansOnce(api.get('plans').items, report);
    refer([api.get('anonymous').get('plan')], plans, 'plan', report);
    refer([api.get('upstream')], upstreams, 'upstream', report);
    const mode = api.get('mode').string ?? root.get('mode').string;
    const isNeeded = api.isMapping && !needsNoUpstream(lifecycleOf(api), mode);
    if (upstreams !== null && upstreams.size > 0 && isNeeded && !api.get('upstream').given) {
      report.add(api, 'must have the field "upstream", because the policy has upstreams', null);
    }
    for (const operation of api.get('operations').entries) refer(operation.get('plans').items, plans, 'plan', report);
    for (const route of api.get('routes').items) {
      refer([route.get('upstream')], upstreams, 'upstream', report);
      refer(route.get('when').get('plans').items, plans, 'plan', report);
      refer(route.get('when').get('consumers').items, consumers, 'consumer', report);
    }
    checkRouteNames(api.get('routes').items, report);
  }
  for (const consumer of root.get('consumers').entries) {
    refer([consumer.get('plan')], plans, 'plan', report);
    for (const subscription of consumer.get('subscriptions').entries) {
      if (!apis.has(subscription.key))
        report.add(subscription, `must be an API of this policy${apis.hint}`, subscription.key);
      refer([subscription.get('plan')], plans, 'plan', report);
    }
  }
}

/** Names that a mapping defines, whether or not what stands under them is valid; null when it is not a mapping. */
function namesOf(mapping: Draft<unknown>): Names | null {
  return mapping.given && !mapping.isMapping ? null : new Names(mapping.entries.map((entry) => entry.key));
}

function refer(references: readonly Place[], names: Names | null, kind: string, report: Report): void {
  for (const reference of references) {
    if (names !== null && reference.string !== undefined && !names.has(reference.string)) {
      report.add(
        reference,
        `must be ${kind === 'upstream' ? 'an' : 'a'} ${kind} of this policy${names.hint}`,
        reference.string,
      );
    }
  }
}

function checkRouteNames(routes: readonly RouteDraft[], report: Report): void {
  const seen = new Map<string, Place>();
  for (const route of routes) {
    const name = route.get('name');
    if (name.string === undefined) continue;
    const other = seen.get(name.string);
    if (name.string === DEFAULT_ROUTE)
      report.add(name, `must not be "${DEFAULT_ROUTE}", the name of the API's own route`);
    else if (other !== undefined) report.twice(name, 'must be the only route of this name in the API', other);
    else seen.set(name.string, name);
  }
}

function checkPlansOnce(plans: readonly Place[], report: Report): void {
  const seen = new Map<string, Place>();
  for (const plan of plans) {
    if (plan.string === undefined) continue;
    const other = seen.get(plan.string);
    if (other !== undefined) report.twice(plan, 'must be given once', other);
    else seen.set(plan.string, plan);
  }
}

/** SHA-256 of the empty string: what a pipeline prints when its first command has failed. */
export const EMPTY_DIGEST = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Subscriptions must fit their plans, and every key must belong to one consumer. */
export function checkConsumers(root: PolicyDraft, report: Report): void {
  const owners: Owners = new Map();
  const offered = offeredPlans(root);
  const quotas = new Map(
    root
      .get('plans')
      .entries.map((plan) => [plan.key, new Names(plan.get('quotas').entries.map((quota) => quota.key))]),
  );
  for (const consumer of root.get('consumers').entries) {
    for (const subscription of consumer.get('subscriptions').entries) {
      checkOffer(root, offered, subscription, report);
      checkLimits(root, quotas, subscription, report);
      checkTimes(subscription.get('from'), subscription.get('until'), report);
    }
    checkIds(consumer, report);
    for (const [index, key] of consumer.get('keys').items.entries()) {
      checkTimes(key.get('from'), key.get('until'), report);
      checkDigest(root, key, { consumer: consumer.key, index }, owners, report);
    }
  }
}

function checkOffer(
  root: PolicyDraft,
  offeredBy: (api: string) => Names,
  subscription: SubscriptionDraft,
  report: Report,
): void {
  const plan = subscription.get('plan');
  if (
    !root.get('apis').named(subscription.key).given ||
    plan.string === undefined ||
    root.get('plans').named(plan.string).value === undefined
  )
    return;
  const offered = offeredBy(subscription.key);
  if (!offered.has(plan.string)) report.add(plan, `must be a plan that the API offers${offered.hint}`);
}

function checkLimits(
  root: PolicyDraft,
  quotas: ReadonlyMap<string, Names>,
  subscription: SubscriptionDraft,
  report: Report,
): void {
  const plan = root.get('plans').named(subscription.get('plan').string ?? '');
  if (plan.value === undefined) return;
  for (const limit of subscription.get('limits').entries) {
    const quota = plan.get('quotas').named(limit.key);
    if (!quota.given)
      report.add(limit, `must be a quota of the plan "${plan.key}"${quotas.get(plan.key)!.hint}`, limit.key);
    else if (limit.get('burst').given && !quota.get('burst').given)
      report.add(limit.get('burst'), 'must go with a quota that has a burst');
  }
}

function checkTimes(from: Place, until: Place, report: Report): void {
  const [begin, end] = [epochSeconds(from.string ?? ''), epochSeconds(until.string ?? '')];
  if (begin !== null && end !== null && end <= begin) report.add(until, `must be after "from" (${from.string!})`);
}

function checkIds(consumer: ConsumerDraft, report: Report): void {
  const seen = new Map<string, Place>();
  for (const key of consumer.get('keys').items) {
    const id = key.get('id');
    if (id.string === undefined) continue;
    const other = seen.get(id.string);
    if (other !== undefined) report.twice(id, 'must be the only key of this id of its consumer', other, id.string);
    else seen.set(id.string, id);
  }
}

/** Where each digest stands. Names and drafts of 100,000 keys would need more memory than the policy. */
type Owners = Map<string, Owner>;
interface Owner {
  readonly consumer: string;
  readonly index: number;
}

function checkDigest(root: PolicyDraft, key: KeyDraft, here: Owner, owners: Owners, report: Report): void {
  const digest = key.get('digest');
  if (digest.string === undefined || !digest.string.startsWith('sha256:')) return;
  if (digest.string === EMPTY_DIGEST) report.add(digest, 'must not be the digest of an empty key', null);
  const owner = owners.get(digest.string);
  if (owner === undefined) {
    owners.set(digest.string, here);
    return;
  }
  const other = root.get('consumers').named(owner.consumer).get('keys').item(owner.index);
  const name = `${keyName(other)} of consumer ${quote(owner.consumer)}`;
  report.twice(digest, `must be the digest of one key; ${name} has it already`, other.get('digest'), null);
}

function keyName(key: KeyDraft): string {
  const id = key.get('id').string;
  return id === undefined ? 'a key' : `key ${quote(id)}`;
}

const SOON_DAYS = 30;
/** More keys than this that end soon are counted, not listed: other warnings are to be seen beside them. */
const MAX_ENDING = 10;

/** Warns of what has ended, and of keys that will soon end without a successor. */
export class Terms {
  /** The first to end. */
  readonly #ending: { readonly until: Place; readonly seconds: number; readonly rule: string }[] = [];
  #count = 0;

  constructor(private readonly nowSeconds: number) {}

  add(consumer: ConsumerDraft, report: Report): void {
    const keys = consumer.get('keys').items;
    for (const place of [...keys, ...consumer.get('subscriptions').entries]) {
      const until = place.get('until');
      const seconds = epochSeconds(until.string ?? '');
      if (seconds !== null && seconds <= this.nowSeconds) report.add(until, 'lies in the past', until.string);
    }
    for (const key of keys) this.#addKey(key, keys, consumer);
  }

  tell(consumers: Place, report: Report): void {
    for (const { until, rule } of this.#ending) report.add(until, rule, until.string);
    const more = this.#count - this.#ending.length;
    if (more > 0)
      report.add(
        consumers,
        `hold ${more.toLocaleString('en')} more ${more === 1 ? 'key that ends' : 'keys that end'} within ${SOON_DAYS} days and ${more === 1 ? 'has' : 'have'} no successor`,
        null,
      );
  }

  #addKey(key: KeyDraft, keys: readonly KeyDraft[], consumer: ConsumerDraft): void {
    const until = key.get('until');
    const seconds = endOf(key);
    const soon = this.nowSeconds + SOON_DAYS * 86_400;
    if (seconds <= this.nowSeconds || seconds > soon || key.get('revoked').isTrue) return;
    const isSucceeded = keys.some(
      (other) => !other.get('revoked').isTrue && beginOf(other) <= seconds && endOf(other) > soon,
    );
    if (isSucceeded) return;
    this.#count++;
    const last = this.#ending.at(-1);
    if (this.#ending.length === MAX_ENDING && last!.seconds <= seconds) return;
    const rule = `ends within ${SOON_DAYS} days, and ${keyName(key)} of consumer ${quote(consumer.key)} has no successor; "tollgate keys rotate" makes one`;
    this.#ending.push({ until, seconds, rule });
    this.#ending.sort((a, b) => a.seconds - b.seconds);
    if (this.#ending.length > MAX_ENDING) this.#ending.pop();
  }
}

function beginOf(key: KeyDraft): number {
  return epochSeconds(key.get('from').string ?? '') ?? -Infinity;
}

function endOf(key: KeyDraft): number {
  return epochSeconds(key.get('until').string ?? '') ?? Infinity;
}

/** Plans that each API offers, as far as they can be read. */
export function offeredPlans(root: PolicyDraft): (api: string) => Names {
  const known = new Map<string, Names>();
  return (api) => {
    const plans = known.get(api) ?? new Names(root.get('apis').named(api).get('plans').strings);
    known.set(api, plans);
    return plans;
  };
}

/** The holdings of a policy that may be wrong elsewhere. */
export function holdingsIn(root: PolicyDraft): Holdings {
  return new Holdings({
    apis: Object.fromEntries(
      root.get('apis').entries.map((api) => [api.key, { plans: api.get('plans').strings }] as const),
    ),
  });
}

/** What can be read of a consumer; a limit that is not a number is NaN. */
export function granteeIn(consumer: ConsumerDraft): Grantee {
  const subscriptions = consumer.get('subscriptions').entries.filter(({ given }) => given);
  return {
    plan: consumer.get('plan').string,
    subscriptions: Object.fromEntries(
      subscriptions.map((subscription) => {
        const limits = subscription.get('limits').entries.map((limit) => [limit.key, ownLimitOf(limit)] as const);
        const plan = subscription.get('plan').string ?? '';
        return [subscription.key, { plan, ...(limits.length > 0 && { limits: Object.fromEntries(limits) }) }] as const;
      }),
    ),
  };
}

/** What a subscription has in place of a quota's; a limit that is not a number is NaN. */
export function ownLimitOf(limit: OwnLimitDraft): { limit?: number | undefined; burst?: number | undefined } {
  if (!limit.isMapping) return { limit: limit.number ?? NaN };
  return { limit: limit.get('limit').number, burst: limit.get('burst').number };
}
