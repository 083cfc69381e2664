import { grouped } from '../../diff/difference.ts';
import { styleText } from 'node:util';
import type { QuotaStanding } from '../../explain/standing.ts';
import type { PlanStory, RouteStory, Story } from '../../explain/story.ts';
import { timeSpan, visible, visibleJson } from './visible.ts';

/** Fields of the decision that have a line of their own. */
const TOLD = new Set(['reason', 'api', 'route', 'consumer', 'keyId', 'plan', 'quota', 'remaining', 'host']);
const WIDTH = 'operation'.length + 1;

export function storyJson(story: Story): string {
  return visibleJson(story);
}

/** The story in the order of the decision; it ends where the decision did. */
export function printStory(story: Story, isTerminal: boolean): string {
  const { request, at, outcome, reason, reply } = story;
  const isObserved = story.decision['mode'] === 'observe';
  const verdict = outcome === reason ? outcome : `${outcome}${isObserved ? ', but only observed' : ''}: ${reason}`;
  const colour = outcome === 'allowed' ? 'green' : 'red';
  const lines = [
    `${request.method} ${request.host ?? '(no host)'}${request.path} at ${at}`,
    '',
    ...rowsOf(story).map(([name, words]) => `  ${name.padEnd(WIDTH)} ${words}`),
    '',
  ].map((line) => visible(line));
  return [...lines, isTerminal ? styleText(colour, visible(verdict)) : visible(verdict), ...answerOf(reply), ''].join(
    '\n',
  );
}

type Line = readonly [name: string, words: string];

function rowsOf(story: Story): Line[] {
  const { normalisedPath, request, api, consumer, plan, quotas, route, upstream, decision } = story;
  const read = normalisedPath ?? 'can be read in more than one way (docs/requests.md)';
  const others = Object.entries(decision).filter(([name, value]) => !TOLD.has(name) && value !== undefined);
  return [
    ['path', normalisedPath === request.path ? read : `${read}; sent as ${request.path}`],
    ...(decision['host'] === undefined || decision['host'] === request.host
      ? []
      : [['host', `${decision['host']}`] as Line]),
    [
      'API',
      api === null
        ? 'none covers this host and path'
        : `${api.name}: ${(api.hosts ?? ['any host']).join(', ')}; ${api.paths.join(', ')}`,
    ],
    ...others.map(([name, value]): Line => [name, String(value)]),
    ...(api === null && consumer === null ? [] : [['key', keyWords(story)] as Line]),
    ...(consumer === null ? [] : [['consumer', consumer] as Line]),
    ...(plan === null ? [] : [['plan', planWords(plan, consumer!, api!.name)] as Line]),
    ...quotas.map((quota, at): Line => [
      at === 0 ? 'quotas' : '',
      quotaWords(quota, quotas, decision['quota'] === quota.name && story.outcome === 'refused'),
    ]),
    ...(route === null ? [] : routeLines(route)),
    ...headerLines(story),
    ...(upstream === null
      ? []
      : [
          [
            'upstream',
            `${upstream.name === null ? '' : `${upstream.name}: `}${upstream.method} ${upstream.host}${upstream.path}`,
          ] as Line,
        ]),
  ];
}

function keyWords({ key, reason }: Story): string {
  const { places, id } = key;
  if (places.length === 0) return 'none found in any key source';
  const where = `found in ${places.join(' and in ')}`;
  const more = reason === 'ambiguous_api_key' ? '; they differ' : '';
  return id === null ? `${where}${more}` : `${where}; its id is ${id}`;
}

function planWords({ name, through, offered, own, limits }: PlanStory, consumer: string, api: string): string {
  const offers = offered.length === 0 ? 'no plans' : offered.join(', ');
  if (through === 'none')
    return own === null
      ? `none: ${consumer} has no plan of its own and no subscription to ${api}, which offers ${offers}`
      : `none: ${consumer} has the plan ${own} and no subscription to ${api}, which offers ${offers}`;
  const changed = Object.entries(limits).map(([quota, limit]) => `${quota} ${grouped(limit)}`);
  const replaced = changed.length === 0 ? '' : `, with limits of its own: ${changed.join(', ')}`;
  if (through === 'subscription') return `${name}, by the subscription to ${api}${replaced}`;
  return `${name}, the consumer's own plan, which ${api} offers`;
}

function quotaWords(
  { name, limit, used, remaining, resetSeconds }: QuotaStanding,
  all: readonly QuotaStanding[],
  isRefused: boolean,
): string {
  const width = Math.max(...all.map((quota) => quota.name.length));
  const state =
    used === null
      ? `limit ${grouped(limit)}`
      : `${grouped(used)} of ${grouped(limit)} used, ${grouped(remaining!)} left, resets in ${timeSpan(resetSeconds ?? 0)}`;
  return `${name.padEnd(width)}  ${state}${isRefused ? '; refused by this one' : ''}`;
}

function routeLines({ name, conditions, passedOver, morePassedOver }: RouteStory): Line[] {
  const why = conditions.length === 0 ? "the API's own" : conditions.join('; ');
  return [
    ['route', `${name}: ${why}`],
    ...passedOver.map(({ name: other, condition }): Line => ['', `not ${other}: does not hold: ${condition}`]),
    ...(morePassedOver === 0 ? [] : [['', `nor ${grouped(morePassedOver)} routes after it`] as Line]),
  ];
}

function headerLines({ headers: { set, removed } }: Story): Line[] {
  const lines = [
    ...set.map(({ name, value }) => (value === null ? `changed ${name}` : `set ${name}: ${value}`)),
    ...removed.map((name) => `removed ${name}`),
  ];
  return lines.map((words, at): Line => [at === 0 ? 'headers' : '', words]);
}

function answerOf({ status, headers, body }: Story['reply']): string[] {
  const lines = headers.map(([name, value]) => visible(`  ${name}: ${value}`));
  if (status === null) return lines.length === 0 ? [] : ["  the upstream's answer, with", ...lines];
  const text =
    body === ''
      ? []
      : [
          '',
          ...body
            .trimEnd()
            .split('\n')
            .map((line) => `  ${visible(line)}`),
        ];
  return [`  HTTP ${status}`, ...lines, ...text];
}
