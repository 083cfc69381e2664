import type { Holdings } from '../compile/holding.ts';
import { looksLikePattern, looksLikeTemplate } from '../schema/request.ts';
import { epochSeconds } from '../schema/value.ts';
import { quote } from '../problem.ts';
import { granteeIn, holdingsIn } from './consumers.ts';
import type { ConsumerDraft, PolicyDraft, Report, RouteDraft } from './draft.ts';
import { hasMeshScope } from './quotas.ts';

/** What is valid and yet hardly meant. Runs on policies without problems. */
export function warn(root: PolicyDraft, nowSeconds: number, report: Report): void {
  const holdings = holdingsIn(root);
  if (root.get('apis').entries.length === 0) report.add(root, 'has no API, so there is nothing to call', null);
  warnOfUnusedApis(root, report);
  warnOfUnusedRateLimitService(root, report);
  for (const api of root.get('apis').entries)
    for (const route of api.get('routes').items) warnOfPatterns(route, report);
  for (const consumer of root.get('consumers').entries) {
    if (consumer.get('keys').items.length === 0)
      report.add(consumer, 'has no key; "tollgate keys issue" makes one', null);
    warnOfTimes(consumer, nowSeconds, report);
    warnOfPlan(holdings, consumer, report);
    warnOfSharedCounters(root, holdings, consumer, report);
  }
}

function warnOfUnusedApis(root: PolicyDraft, report: Report): void {
  const subscribed = new Set<string>();
  const plans = new Set<string>();
  for (const consumer of root.get('consumers').entries) {
    for (const subscription of consumer.get('subscriptions').entries)
      if (subscription.given) subscribed.add(subscription.key);
    const plan = consumer.get('plan').string;
    if (plan !== undefined) plans.add(plan);
  }
  for (const api of root.get('apis').entries) {
    const isUsed = subscribed.has(api.key) || api.get('plans').strings.some((plan) => plans.has(plan));
    if (!isUsed && api.get('anonymous').string !== 'allow')
      report.add(api, 'has no consumer: nobody holds a plan that it offers', null);
  }
}

function warnOfUnusedRateLimitService(root: PolicyDraft, report: Report): void {
  const isUsed = root.get('plans').entries.some((plan) => plan.get('quotas').entries.some(hasMeshScope));
  if (root.get('rateLimitService').given && !isUsed)
    report.add(root.get('rateLimitService'), 'counts nothing: no quota has "scope: mesh"', null);
}

/** Values of headers, which the module takes to the letter. */
function warnOfPatterns(route: RouteDraft, report: Report): void {
  for (const condition of route.get('when').get('headers').entries) {
    for (const value of [condition, condition.get('exact'), condition.get('prefix'), ...condition.get('oneOf').items]) {
      if (value.string !== undefined && looksLikePattern(value.string))
        report.add(
          value,
          'is compared as it stands; for a beginning there is "prefix", for any value "present: true"',
          null,
        );
    }
  }
  for (const header of route.get('setHeaders').entries) {
    if (header.string !== undefined && looksLikeTemplate(header.string))
      report.add(header, 'is sent as it stands; there are no variables', null);
  }
}

function warnOfTimes(consumer: ConsumerDraft, nowSeconds: number, report: Report): void {
  for (const place of [...consumer.get('keys').items, ...consumer.get('subscriptions').entries]) {
    const until = place.get('until');
    const seconds = epochSeconds(until.string ?? '');
    if (seconds !== null && seconds <= nowSeconds) report.add(until, 'lies in the past', until.string);
  }
}

function warnOfPlan(holdings: Holdings, consumer: ConsumerDraft, report: Report): void {
  const plan = consumer.get('plan');
  if (plan.given && holdings.offering(plan.string).length === 0) report.add(plan, 'is a plan that no API offers');
}

/**
 * Counters of an Envoy belong to consumer and quota name, not to the plan: two plans with a quota of one name spend from
 * one counter. The rate limit service keeps plans apart.
 */
function warnOfSharedCounters(root: PolicyDraft, holdings: Holdings, consumer: ConsumerDraft, report: Report): void {
  const held = holdings.distinct(granteeIn(consumer));
  if (held.every(({ plan }) => plan === held[0]!.plan)) return;
  const counters = new Map<string, { plan: string; api: string }>();
  const told = new Set<string>();
  for (const { api, plan } of held) {
    for (const quota of root.get('plans').named(plan).get('quotas').entries) {
      if (quota.get('per').string === 'api' || hasMeshScope(quota)) continue;
      const counter = JSON.stringify([quota.key, quota.get('window').string, quota.get('burst').given]);
      const other = counters.get(counter);
      counters.set(counter, other ?? { plan, api });
      if (other === undefined || other.plan === plan || told.has(counter)) continue;
      told.add(counter);
      const where = `${quote(other.plan)} on ${other.api} and ${quote(plan)} on ${api}`;
      report.add(
        consumer,
        `has plans that share the counter of quota ${quote(quota.key)}: ${where}; rename one or make it "per: api"`,
        null,
      );
    }
  }
}
