import type { Holdings } from '../compile/holding.ts';
import type { ApiDraft, ConsumerDraft, Place, PolicyDraft, Report } from './draft.ts';
import { answersAll, lifecycleOf } from './lifecycle.ts';

/** APIs of whose plans nobody has one. */
export function warnOfUnusedApis(root: PolicyDraft, report: Report): void {
  const named = namedBy(root.get('consumers').entries);
  for (const api of root.get('apis').entries) {
    if (!isUsed(api, named) && !isOpen(api))
      report.add(api, 'has no consumer: nobody holds a plan that it offers', null);
  }
}

/** What consumers name: APIs that they have subscribed to, and plans, as their own or in a subscription. */
interface Named {
  readonly subscribed: ReadonlySet<string>;
  readonly own: ReadonlySet<string>;
  readonly plans: ReadonlySet<string>;
}

function namedBy(consumers: readonly ConsumerDraft[]): Named {
  const [subscribed, own, plans] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const consumer of consumers) {
    const { string: plan } = consumer.get('plan');
    if (plan !== undefined) own.add(plan);
    for (const subscription of consumer.get('subscriptions').entries) {
      if (!subscription.given) continue;
      subscribed.add(subscription.key);
      plans.add(subscription.get('plan').string ?? '');
    }
  }
  return { subscribed, own, plans: new Set([...plans, ...own]) };
}

function isUsed(api: ApiDraft, { subscribed, own }: Named): boolean {
  return subscribed.has(api.key) || api.get('plans').strings.some((plan) => own.has(plan));
}

/** True for an API that is not for consumers only: it lets others pass, or answers by itself. */
function isOpen(api: ApiDraft): boolean {
  const { string: anonymous, isMapping } = api.get('anonymous');
  if (anonymous === 'allow' || isMapping || answersAll(lifecycleOf(api))) return true;
  return api.get('plans').items.length === 0 && openingOf(api) !== undefined;
}

/** Where it says that requests without a key pass: at the API, or at one of its operations. */
function openingOf(api: ApiDraft): Place | undefined {
  const operations = api.get('operations').entries.map((operation) => operation.get('anonymous'));
  return [api.get('anonymous'), ...operations].find(({ string }) => string === 'allow');
}

/**
 * Plans that are there for nobody. A policy with one consumer is at its beginning, and may have plans for others. Where an API has no consumer at all, that is said of the API, and
 * not of its plans.
 */
export function warnOfUnheldPlans(root: PolicyDraft, report: Report): void {
  const named = namedBy(root.get('consumers').entries);
  const holders = root
    .get('consumers')
    .entries.filter((one) => one.get('plan').given || one.get('subscriptions').given);
  if (holders.length < 2) return;
  const used = new Set<string>();
  const offered = new Set<string>();
  for (const api of root.get('apis').entries) {
    for (const plan of api.get('plans').strings) {
      offered.add(plan);
      if (isUsed(api, named) || isOpen(api)) used.add(plan);
    }
  }
  const claimed = claimedPlans(root);
  for (const plan of root.get('plans').entries) {
    if (named.plans.has(plan.key) || claimed.has(plan.key) || (offered.has(plan.key) && !used.has(plan.key))) continue;
    const rule = offered.has(plan.key) ? 'is held by no consumer' : 'is offered by no API, and held by no consumer';
    report.add(plan, rule, null);
  }
}

/** Plans that tokens may name. */
function claimedPlans(root: PolicyDraft): ReadonlySet<string> {
  if (!root.get('tokens').entries.some((issuer) => issuer.get('plan').given)) return new Set();
  const apis = root.get('apis').entries.filter((api) => api.get('credentials').strings.includes('token'));
  return new Set(apis.flatMap((api) => api.get('plans').strings));
}

/** An open API that lets everybody pass but those who have a key. */
export function warnOfOpenApis(root: PolicyDraft, report: Report): void {
  if (root.get('consumers').entries.every((consumer) => consumer.get('keys').items.length === 0)) return;
  for (const api of root.get('apis').entries) {
    const mode = api.get('mode').string ?? root.get('mode').string;
    if (api.get('plans').items.length > 0 || answersAll(lifecycleOf(api)) || mode === 'observe') continue;
    const open = openingOf(api);
    if (open !== undefined)
      report.add(
        open,
        'lets requests without a key pass and refuses those with a valid one, because the API offers no plan; add "plans" to the API, with those that its callers hold',
        null,
      );
  }
}

export function warnOfPlan(holdings: Holdings, consumer: ConsumerDraft, report: Report): void {
  const plan = consumer.get('plan');
  if (plan.given && holdings.offering(plan.string).length === 0) report.add(plan, 'is a plan that no API offers');
}
