import type { Cursor } from './cursor.ts';
import { DEFAULT_ROUTE } from './name.ts';
import { hint, type Report } from './report.ts';

/** Everything that is referred to by name must exist; a hint says what does. */
export function checkNames(root: Cursor, report: Report): void {
  const plans = namesOf(root.get('plans'));
  const upstreams = namesOf(root.get('upstreams'));
  const consumers = namesOf(root.get('consumers'));
  const apis = namesOf(root.get('apis')) ?? [];
  for (const api of root.get('apis').entries) {
    refer(api.get('plans').items, plans, 'plan', report);
    refer([api.get('upstream')], upstreams, 'upstream', report);
    if (upstreams?.length && api.node?.kind === 'mapping' && !api.get('upstream').given) {
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
      if (!apis.includes(subscription.key)) report.add(subscription, `must be an API of this policy${hint(apis)}`, subscription.key);
      refer([subscription.get('plan')], plans, 'plan', report);
    }
  }
}

/** Names that a mapping defines, whether or not what stands under them is in order; null when it is no mapping. */
function namesOf(mapping: Cursor): string[] | null {
  return mapping.given && mapping.node?.kind !== 'mapping' ? null : mapping.entries.map((entry) => entry.key);
}

function refer(references: readonly Cursor[], names: readonly string[] | null, kind: string, report: Report): void {
  for (const reference of references) {
    if (names !== null && reference.text !== undefined && !names.includes(reference.text)) {
      report.add(reference, `must be ${kind === 'upstream' ? 'an' : 'a'} ${kind} of this policy${hint(names)}`, reference.text);
    }
  }
}

function checkRouteNames(routes: Cursor, report: Report): void {
  const seen = new Set<string>();
  for (const route of routes.items) {
    const name = route.get('name');
    if (name.text === undefined) continue;
    if (name.text === DEFAULT_ROUTE) report.add(name, 'must not be "default", the name of the API\'s own route');
    else if (seen.has(name.text)) report.add(name, 'must be the only route of this name in the API');
    seen.add(name.text);
  }
}
