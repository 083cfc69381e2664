import type { ApiConfig, PluginConfig, RouteConfig } from '../policy/index.ts';
import { isSame, listChange, type Difference, type Effect } from './difference.ts';

/** What differs in the APIs: where they lie, who gets in without a key, and their routes. */
export function apiDifferences(old: PluginConfig, next: PluginConfig): Difference[] {
  const before = new Map(old.apis.map((api) => [api.name, api]));
  const after = new Map(next.apis.map((api) => [api.name, api]));
  return [
    ...next.apis.flatMap((api) => (before.has(api.name) ? changed(before.get(api.name)!, api, next) : added(api, next))),
    ...old.apis.filter(({ name }) => !after.has(name)).map(({ name }): Difference => ({
      subject: `API ${name}`, text: `removed; its requests ${next.unmatched === 'allow' ? 'pass, ungated, unless another API matches them' : 'are refused unless another API matches them'}`, effects: [left(next)],
    })),
  ];
}

/** What an API takes in: with `unmatched: deny` it was refused before; with `allow` it passed without a key. */
function taken(next: PluginConfig): Effect {
  return next.unmatched === 'allow' ? 'narrows' : 'widens';
}

function left(next: PluginConfig): Effect {
  return next.unmatched === 'allow' ? 'widens' : 'narrows';
}

function placeText({ hosts, paths }: ApiConfig): string {
  return `${hosts?.join(', ') ?? 'any host'} ${paths.join(', ')}`;
}

function added(api: ApiConfig, next: PluginConfig): Difference[] {
  const open = (['anonymous', 'preflight'] as const).filter((field) => api[field] === 'allow');
  const effects: Effect[] = open.length > 0 ? ['widens'] : [taken(next)];
  return [{ subject: `API ${api.name}`, text: `added on ${placeText(api)}${open.length > 0 ? `, ${open.join(' and ')} allowed` : ''}`, effects }];
}

function changed(old: ApiConfig, next: ApiConfig, config: PluginConfig): Difference[] {
  const subject = `API ${next.name}`;
  const say = (text: string, ...effects: Effect[]): Difference => ({ subject, text, effects });
  const differences: Difference[] = [];
  const hosts = listChange(old.hosts ?? next.hosts ?? [], next.hosts ?? old.hosts ?? []);
  if (!old.hosts !== !next.hosts) differences.push(say(`hosts ${old.hosts?.join(', ') ?? 'any'} → ${next.hosts?.join(', ') ?? 'any'}`, next.hosts ? left(config) : taken(config)));
  const paths = listChange(old.paths, next.paths);
  for (const [noun, { added, removed }] of [['host', hosts], ['path', paths]] as const) {
    for (const item of added) differences.push(say(`${noun} ${item} added`, taken(config)));
    for (const item of removed) differences.push(say(`${noun} ${item} removed`, left(config)));
  }
  const plans = listChange(old.plans, next.plans);
  for (const plan of plans.added) differences.push(say(`offers plan ${plan}`));
  for (const plan of plans.removed) differences.push(say(`no longer offers plan ${plan}`));
  if (old.anonymous !== next.anonymous) differences.push(next.anonymous ? say('anonymous deny → allow: requests without a key pass', 'widens') : say('anonymous allow → deny: requests need a key', 'narrows'));
  if (old.preflight !== next.preflight) differences.push(next.preflight ? say('preflight deny → allow: CORS preflights pass without a key', 'widens') : say('preflight allow → deny: CORS preflights need a key', 'narrows'));
  return [...differences, ...routeDifferences(next.name, old.routes ?? [], next.routes ?? [])];
}

function routeDifferences(api: string, old: readonly RouteConfig[], next: readonly RouteConfig[]): Difference[] {
  const say = (route: string, text: string): Difference => ({ subject: `route ${api}/${route}`, text, effects: [] });
  const before = new Map(old.map((route) => [route.name, route]));
  const { added, removed } = listChange(old.map(({ name }) => name), next.map(({ name }) => name));
  const kept = (routes: readonly RouteConfig[]): string[] => routes.map(({ name }) => name).filter((name) => !added.includes(name) && !removed.includes(name));
  return [
    ...next.flatMap((route) => {
      const former = before.get(route.name);
      if (former === undefined) return [say(route.name, 'added')];
      const fields = [...new Set([...Object.keys(former), ...Object.keys(route)])].filter((field) => !isSame(former[field as keyof RouteConfig], route[field as keyof RouteConfig]));
      return fields.length === 0 ? [] : [say(route.name, `other ${fields.join(', ')}`)];
    }),
    ...removed.map((name) => say(name, 'removed')),
    ...(isSame(kept(old), kept(next)) ? [] : [{ subject: `API ${api}`, text: `routes in another order: ${kept(next).join(', ')}`, effects: [] }]),
  ];
}
