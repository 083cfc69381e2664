import { isSameInAnyOrder, type ApiConfig, type PluginConfig, type RouteConfig } from '../policy/index.ts';
import { ME_PER_MINUTE } from '../contract/table.ts';
import { corsChanges } from './corsDiff.ts';
import { credentialChanges } from './identityDiff.ts';
import { listChange, type Difference, type Effect } from './difference.ts';
import { apiKeyDifferences } from './keySourceDiff.ts';
import { LIFECYCLE_FIELDS, lifecycleDifferences } from './lifecycleDiff.ts';
import { costChanges, operationDifferences } from './operationDiff.ts';

/** What differs in the APIs: their hosts and paths, who gets in without a key, and their routes. */
export function apiDifferences(old: PluginConfig, next: PluginConfig): Difference[] {
  const before = new Map(old.apis.map((api) => [api.name, api]));
  const after = new Map(next.apis.map((api) => [api.name, api]));
  return [
    ...next.apis.flatMap((api) =>
      before.has(api.name) ? changed([before.get(api.name)!, old], [api, next]) : added(api, next),
    ),
    ...old.apis
      .filter(({ name }) => !after.has(name))
      .map(({ name }): Difference => ({
        subject: `API ${name}`,
        text: `removed; its requests ${next.unmatched === 'allow' ? 'pass, unchecked, unless another API matches them' : 'are refused unless another API matches them'}`,
        effects: [left(next)],
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
  const open = (['anonymous', 'preflight'] as const).filter(
    (field) => api[field] === 'allow' || (field === 'anonymous' && api.anonymousPlan !== undefined),
  );
  const effects: Effect[] = open.length > 0 ? ['widens'] : [taken(next)];
  return [
    {
      subject: `API ${api.name}`,
      text: `added on ${placeText(api)}${open.length > 0 ? `, ${open.join(' and ')} allowed` : ''}`,
      effects,
    },
  ];
}

/** What differs in how paths below those of the API are read. */
function pathDataChanges(old: ApiConfig, next: ApiConfig): { text: string; effects: Effect[] }[] {
  const { added, removed } = listChange(old.pathData ?? [], next.pathData ?? []);
  return [
    ...added.map((data) =>
      data === 'escaped-slashes'
        ? { text: 'escaped slashes (%2F) are data in paths, and no longer refused', effects: ['widens' as const] }
        : { text: 'empty segments (//) are data in paths, and no longer merged', effects: ['narrows' as const] },
    ),
    ...removed.map((data) =>
      data === 'escaped-slashes'
        ? { text: 'paths with escaped slashes (%2F) are refused', effects: ['narrows' as const] }
        : { text: 'empty segments (//) in paths are merged', effects: ['widens' as const] },
    ),
  ];
}

/** What differs in where callers are told of their quotas. */
function meChanges({ me: old }: ApiConfig, { me: next }: ApiConfig): { text: string; effects: Effect[] }[] {
  if (old === undefined || next === undefined) {
    if (old === next) return [];
    const text = next === undefined ? `callers are no longer told of their quotas at ${old!.path}` : '';
    return [{ text: text || `callers are told of their quotas at ${next!.path}`, effects: [] }];
  }
  const [was, is] = [old.perMinute ?? ME_PER_MINUTE, next.perMinute ?? ME_PER_MINUTE];
  return [
    ...(old.path === next.path
      ? []
      : [{ text: `callers are told of their quotas at ${next.path} (was: ${old.path})`, effects: [] }]),
    ...(was === is
      ? []
      : [
          {
            text: `a consumer may ask for its quotas ${is} times a minute (was: ${was})`,
            effects: [is < was ? ('narrows' as const) : ('widens' as const)],
          },
        ]),
  ];
}

/** What differs for callers without a key, where they have a plan or had one. */
function visitorChanges(old: ApiConfig, next: ApiConfig): { text: string; effects: Effect[] }[] {
  const [before, after] = [visitorText(old), visitorText(next)];
  if (before === after || (!old.anonymousPlan && !next.anonymousPlan)) return [];
  const [was, is] = [rankOf(old), rankOf(next)];
  return [
    {
      text: `anonymous ${before} → ${after}`,
      effects: is > was ? ['widens'] : is < was ? ['narrows'] : [],
    },
  ];
}

function visitorText({ anonymous, anonymousPlan }: ApiConfig): string {
  if (anonymousPlan === undefined) return anonymous ?? 'deny';
  const { plan, header } = anonymousPlan;
  return `plan ${plan} by ${header === undefined ? 'address' : `header ${header}`}`;
}

/** Nobody without a key, some of their requests, or all. */
function rankOf({ anonymous, anonymousPlan }: ApiConfig): number {
  return anonymousPlan === undefined ? (anonymous === undefined ? 0 : 2) : 1;
}

function changed(
  [old, before]: readonly [ApiConfig, PluginConfig],
  [next, config]: readonly [ApiConfig, PluginConfig],
): Difference[] {
  const subject = `API ${next.name}`;
  const say = (text: string, ...effects: Effect[]): Difference => ({ subject, text, effects });
  const differences: Difference[] = [];
  const hosts = listChange(old.hosts ?? next.hosts ?? [], next.hosts ?? old.hosts ?? []);
  if (!old.hosts !== !next.hosts)
    differences.push(
      say(
        `hosts ${old.hosts?.join(', ') ?? 'any'} → ${next.hosts?.join(', ') ?? 'any'}`,
        next.hosts ? left(config) : taken(config),
      ),
    );
  const paths = listChange(old.paths, next.paths);
  for (const [noun, { added, removed }] of [
    ['host', hosts],
    ['path', paths],
  ] as const) {
    for (const item of added) differences.push(say(`${noun} ${item} added`, taken(config)));
    for (const item of removed) differences.push(say(`${noun} ${item} removed`, left(config)));
  }
  const plans = listChange(old.plans, next.plans);
  for (const plan of plans.added) differences.push(say(`offers plan ${plan}`));
  for (const plan of plans.removed) differences.push(say(`no longer offers plan ${plan}`));
  for (const { text, effects } of credentialChanges(old, next)) differences.push(say(text, ...effects));
  for (const { text, effects } of [...pathDataChanges(old, next), ...meChanges(old, next)])
    differences.push(say(text, ...effects));
  differences.push(...visitorChanges(old, next).map(({ text, effects }) => say(text, ...effects)));
  if (old.anonymous !== next.anonymous && !old.anonymousPlan && !next.anonymousPlan)
    differences.push(
      next.anonymous
        ? say('anonymous deny → allow: requests without a key pass', 'widens')
        : say('anonymous allow → deny: requests need a key', 'narrows'),
    );
  if (old.preflight !== next.preflight)
    differences.push(
      next.preflight
        ? say('preflight deny → allow: CORS preflights pass without a key', 'widens')
        : say('preflight allow → deny: CORS preflights need a key', 'narrows'),
    );
  for (const { text, effects } of corsChanges(old.cors, next.cors)) differences.push(say(text, ...effects));
  return [
    ...differences,
    ...apiKeyDifferences(subject, [old, before], [next, config]),
    ...lifecycleDifferences(subject, old, next),
    ...costChanges(old, next).map(({ text, effects }) => say(text, ...effects)),
    ...operationDifferences(old, next),
    ...routeDifferences(next.name, old.routes ?? [], next.routes ?? []),
  ];
}

function routeDifferences(api: string, old: readonly RouteConfig[], next: readonly RouteConfig[]): Difference[] {
  const say = (route: string, text: string): Difference => ({ subject: `route ${api}/${route}`, text, effects: [] });
  const [before, after] = [old, next].map((routes) => new Map(routes.map((route) => [route.name, route]))) as [
    Map<string, RouteConfig>,
    Map<string, RouteConfig>,
  ];
  const keptBefore = [...before.keys()].filter((name) => after.has(name));
  const keptAfter = [...after.keys()].filter((name) => before.has(name));
  return [
    ...next.flatMap((route) => {
      const former = before.get(route.name);
      if (former === undefined) return [say(route.name, 'added')];
      const fields = changedFields(former, route);
      return [
        ...(fields.length === 0 ? [] : [say(route.name, `other ${fields.join(', ')}`)]),
        ...lifecycleDifferences(`route ${api}/${route.name}`, former, route),
      ];
    }),
    ...[...before.keys()].filter((name) => !after.has(name)).map((name) => say(name, 'removed')),
    ...(keptBefore.every((name, index) => keptAfter[index] === name)
      ? []
      : [{ subject: `API ${api}`, text: `routes in another order: ${keptAfter.join(', ')}`, effects: [] }]),
  ];
}

function changedFields(old: RouteConfig, next: RouteConfig): string[] {
  const fields = [...new Set([...Object.keys(old), ...Object.keys(next)])] as (keyof RouteConfig)[];
  return fields.filter(
    (field) => !(LIFECYCLE_FIELDS as string[]).includes(field) && !isSameInAnyOrder(old[field], next[field]),
  );
}
