import type { Cursor } from './cursor.ts';
import { DEFAULT_ROUTE } from '../schema/name.ts';
import { Names, type Report } from './report.ts';

/** Everything that is referred to by name must exist; a hint says what does. */
export function checkNames(root: Cursor, report: Report): void {
  const plans = namesOf(root.get('plans'));
  const upstreams = namesOf(root.get('upstreams'));
  const consumers = namesOf(root.get('consumers'));
  const apis = namesOf(root.get('apis')) ?? new Names([]);
  for (const api of root.get('apis').entries) {
    refer(api.get('plans').items, plans, 'plan', report);
    checkPlansOnce(api.get('plans'), report);
    refer([api.get('upstream')], upstreams, 'upstream', report);
    if (upstreams !== null && upstreams.size > 0 && api.node?.kind === 'mapping' && !api.get('upstream').given) {
      report.add(api, 'must have the field "upstream", because the policy has upstreams', null);
    }
    for (const route of api.get('routes').items) {
      refer([route.get('upstream')], upstreams, 'upstream', report);
      refer(route.get('when').get('plans').items, plans, 'plan', report);
      refer(route.get('when').get('consumers').items, consumers, 'consumer', report);
    }
    checkRouteNames(api.get('routes'), report);
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

/** Names that a mapping defines, whether or not what stands under them is valid; null when it is no mapping. */
function namesOf(mapping: Cursor): Names | null {
  return mapping.given && mapping.node?.kind !== 'mapping'
    ? null
    : new Names(mapping.entries.map((entry) => entry.key));
}

function refer(references: readonly Cursor[], names: Names | null, kind: string, report: Report): void {
  for (const reference of references) {
    if (names !== null && reference.text !== undefined && !names.has(reference.text)) {
      report.add(
        reference,
        `must be ${kind === 'upstream' ? 'an' : 'a'} ${kind} of this policy${names.hint}`,
        reference.text,
      );
    }
  }
}

function checkRouteNames(routes: Cursor, report: Report): void {
  const seen = new Map<string, Cursor>();
  for (const route of routes.items) {
    const name = route.get('name');
    if (name.text === undefined) continue;
    const other = seen.get(name.text);
    if (name.text === DEFAULT_ROUTE) report.add(name, 'must not be "default", the name of the API\'s own route');
    else if (other !== undefined) report.twice(name, 'must be the only route of this name in the API', other);
    else seen.set(name.text, name);
  }
}

function checkPlansOnce(plans: Cursor, report: Report): void {
  const seen = new Map<string, Cursor>();
  for (const plan of plans.items) {
    if (plan.text === undefined) continue;
    const other = seen.get(plan.text);
    if (other !== undefined) report.twice(plan, 'must be given once', other);
    else seen.set(plan.text, plan);
  }
}
