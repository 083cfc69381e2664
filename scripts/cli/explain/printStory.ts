import { styleText } from 'node:util';
import { grouped } from '../../diff/difference.ts';
import type { CorsStory } from '../../explain/cors.ts';
import type { LifecycleStory } from '../../explain/lifecycle.ts';
import type { OperationStory } from '../../explain/operation.ts';
import type { QuotaStanding } from '../../explain/standing.ts';
import type { PlanStory } from '../../explain/plan.ts';
import type { KeyStory, RouteStory, Story } from '../../explain/story.ts';
import { addressWords, concurrencyWords, credentialWords, originWords, perWords, visitorWords } from './callerWords.ts';
import { timeSpan, visible, visibleJson } from './visible.ts';
import { nounWith, listOf, inBrief } from './words.ts';

/** Fields of the decision that have a line of their own. */
const TOLD = new Set([
  ...['reason', 'api', 'operation', 'route', 'consumer', 'keyId', 'plan', 'quota', 'remaining', 'host', 'mode'],
]);
const WIDTH = 'operation'.length + 1;
const COLOURS = { allowed: 'green', answered: 'green', refused: 'red' } as const;

export function storyJson(story: Story): string {
  return visibleJson(story);
}

/** The story in the order of the decision; it ends where the decision did. */
export function printStory(story: Story, isTerminal: boolean): string {
  const { request, at, outcome, reply } = story;
  const verdict = visible(verdictOf(story));
  const lines = [
    `${request.method} ${request.host ?? '(no host)'}${request.path} at ${at}`,
    '',
    ...rowsOf(story).map(([name, words]) => `  ${name.padEnd(WIDTH)} ${words}`),
    '',
  ].map((line) => visible(line));
  return [...lines, isTerminal ? styleText(COLOURS[outcome], verdict) : verdict, ...answerOf(reply), ''].join('\n');
}

function verdictOf({ outcome, reason, isObserved }: Story): string {
  if (isObserved) return `${outcome}: would be refused, if that were not only observed: ${reason}`;
  return outcome === reason ? outcome : `${outcome}: ${reason}`;
}

type Line = readonly [name: string, words: string];

/** Lines of which the first one has the name. */
function linesOf(name: string, words: readonly string[]): Line[] {
  return words.map((line, at): Line => [at === 0 ? name : '', line]);
}

function rowsOf(story: Story): Line[] {
  const { api, cors, operation, credential, key, consumer, plan, route, upstream, decision } = story;
  const { address, visitor } = story;
  const flights = plan?.concurrency ?? null;
  const others = Object.entries(decision).filter(([name, value]) => !TOLD.has(name) && value !== undefined);
  return [
    ...pathLines(story),
    [
      'API',
      api === null
        ? noApiWords(story)
        : `${api.name}: ${(api.hosts ?? ['any host']).join(', ')}; ${api.paths.join(', ')}`,
    ],
    ...others.map(([name, value]): Line => [name, String(value)]),
    ...linesOf('cors', cors === null ? [] : corsWords(cors)),
    ...linesOf(
      'lifecycle',
      story.lifecycle.map((one) => lifecycleWords(one, Date.parse(story.at))),
    ),
    ...linesOf('operation', operation === null ? [] : operationWords(operation, story)),
    ...linesOf('credential', credential === null ? [] : credentialWords(credential, story.reason)),
    ...(key === null ? [] : [['key', keyWords(key, story.reason)] as Line]),
    ...(consumer === null ? [] : [['consumer', consumer] as Line]),
    ...(address === null ? [] : [['address', addressWords(address, story)] as Line]),
    ...linesOf('origin', originWords(story)),
    ...(visitor === null ? [] : [['caller', visitorWords(visitor)] as Line]),
    ...(plan === null ? [] : [['plan', planWords(plan, story)] as Line]),
    ...(flights === null ? [] : [['in flight', concurrencyWords(flights, visitor !== null)] as Line]),
    ...linesOf('needs', operation === null ? [] : needWords(operation, plan?.name ?? null)),
    ...linesOf('quotas', quotaLines(story)),
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

const DATA_NAMES = { 'escaped-slashes': '%2F', 'empty-segments': '//' } as const;

function pathLines({ normalisedPath, request, decision, api }: Story): Line[] {
  const read = normalisedPath ?? 'can be read in more than one way (docs/requests.md)';
  const data = (api?.pathData ?? []).map((kind) => DATA_NAMES[kind]);
  return [
    ['path', normalisedPath === request.path ? read : `${read}; sent as ${request.path}`],
    ...(data.length === 0
      ? []
      : [['', `${listOf(data, 'and')} ${data.length === 1 ? 'is' : 'are'} data in it`] as Line]),
    ...(decision['host'] === undefined || decision['host'] === request.host
      ? []
      : [['host', `${decision['host']}`] as Line]),
  ];
}

function noApiWords({ reason, normalisedPath }: Story): string {
  return reason === 'invalid_path' && normalisedPath !== null
    ? 'unclear: a more lenient server would read this as a path of another API (docs/requests.md)'
    : 'none covers this host and path';
}

function corsWords({ origin, isAllowed, preflight }: CorsStory): string[] {
  if (origin === null) return [];
  const page = `pages of ${inBrief(origin)} ${isAllowed ? 'may read the answer' : 'may not read the answer: the origin is not listed'}`;
  if (preflight === null) return [page];
  const { isAnswered, method, unlistedMethod, unlistedHeaders } = preflight;
  const unlisted = [
    ...(unlistedMethod ? [`the method ${inBrief(method)}`] : []),
    ...unlistedHeaders.slice(0, MOST_NAMES).map((name) => `the header ${inBrief(name)}`),
    ...(unlistedHeaders.length > MOST_NAMES ? [`${unlistedHeaders.length - MOST_NAMES} more`] : []),
  ];
  if (isAnswered) return [page, `preflight for ${inBrief(method)}: allowed`];
  if (!isAllowed) return [page, 'preflight: refused'];
  return [
    page,
    `preflight for ${inBrief(method)}: refused; ${unlisted.length === 0 ? 'it asks for more headers than are listed' : `not listed: ${unlisted.join(', ')}`}`,
  ];
}

const MOST_NAMES = 10;
function lifecycleWords({ of, is, when, says }: LifecycleStory, atMs: number): string {
  const { since, sunset, from, until, status, to, successor } = says;
  const instead = successor === undefined ? '' : `; ${successor} takes its place`;
  const away = (time: string | number): string => timeSpan(Math.abs(Date.parse(`${time}`) - atMs) / 1000);
  if (is === 'redirect') return `the ${of} redirects to ${to} with ${status}`;
  if (is === 'mock') return `the ${of} is mocked: the policy answers with ${status}`;
  if (is === 'deprecated') {
    const gone =
      sunset === undefined
        ? ''
        : Date.parse(`${sunset}`) <= atMs
          ? `; was to be gone on ${sunset}`
          : `; to be gone on ${sunset}, in ${away(sunset)}`;
    return `the ${of} is deprecated ${when === 'now' ? 'since' : 'from'} ${since}${gone}${instead}`;
  }
  if (is === 'retired')
    return when === 'now'
      ? `the ${of} is retired${from === undefined ? '' : ` since ${from}`}${instead}`
      : `the ${of} is to be retired on ${from}, in ${away(from!)}${instead}`;
  const times = [...(from === undefined ? [] : [`from ${from}`]), ...(until === undefined ? [] : [`until ${until}`])];
  const span = times.length === 0 ? '' : ` ${times.join(' ')}`;
  if (when === 'now')
    return `the ${of} is under maintenance${span}${until === undefined ? '' : `, for another ${away(until)}`}`;
  return `the ${of} has maintenance${span}: ${when === 'over' ? 'over' : `begins in ${away(from!)}`}`;
}

function operationWords(
  { name, pattern, unlisted, atPath, passedOver }: OperationStory,
  { reason, request, api, normalisedPath }: Story,
): string[] {
  const others = passedOver.map((other) => `not ${other}, which is less specific`);
  if (name !== null)
    return [pattern === null || pattern.replace(' ', '') !== name ? `${name}: ${pattern}` : pattern, ...others];
  if (reason === 'invalid_path') return ['unclear: a more lenient server would read another one (docs/requests.md)'];
  const passes = unlisted === 'allow' ? '; unlisted requests are allowed' : '';
  if (atPath.length === 0) return [`none: ${api!.name} lists nothing at ${normalisedPath ?? request.path}${passes}`];
  return [
    `none: ${request.method} is not listed here; ${listOf(atPath, 'and')} ${atPath.length === 1 ? 'is' : 'are'}${passes}`,
    ...others,
  ];
}

function needWords(story: OperationStory, plan: string | null): string[] {
  const { plans, scopes, missingScopes } = story;
  const isHeld = plan === null || plans.includes(plan);
  const missing = missingScopes ?? [];
  return [
    ...(plans.length === 0 ? [] : [`the plan ${listOf(plans, 'or')}${isHeld ? '' : `, not ${plan}`}`]),
    ...(scopes.length === 0
      ? []
      : [`the ${nounWith(scopes, 'scope')}${missing.length === 0 ? '' : `; missing: ${missing.join(', ')}`}`]),
    ...costWords(story),
  ];
}

function costWords({ cost, settlement }: OperationStory): string[] {
  if (settlement === null)
    return cost === 1 ? [] : [cost === 0 ? 'no units of any quota' : `${grouped(cost)} units of each quota`];
  const { header, most, successOnly } = settlement;
  const units = cost === 1 ? '1 unit' : `${grouped(cost)} units`;
  const counted = header === undefined ? [] : [`then as many as ${header} of the answer says, up to ${grouped(most!)}`];
  return [
    [
      `${units} of each quota until it is answered`,
      ...counted,
      ...(successOnly ? ['none without a status of 2xx'] : []),
    ].join(', '),
  ];
}

function quotaLines({ quotas, reason, decision }: Story): string[] {
  const isByQuota = reason === 'quota_exceeded' || reason === 'quota_unavailable';
  return quotas.map((quota) => quotaWords(quota, quotas, isByQuota && decision['quota'] === quota.name));
}

function keyWords({ places, id, apis, scopes }: KeyStory, reason: string): string {
  if (places.length === 0) return 'none found in any key source';
  const where = `found in ${places.join(' and in ')}`;
  const more = reason === 'ambiguous_api_key' ? '; they differ' : '';
  if (id === null) return `${where}${more}`;
  const limits = [
    ...(apis === null ? [] : [`for ${listOf(apis, 'and')} only`]),
    ...(scopes === null ? [] : [`with the ${nounWith(scopes, 'scope')} only`]),
  ];
  return [`${where}; its id is ${id}`, ...limits].join(', ');
}

function planWords({ name, through, offered, own, limits }: PlanStory, { consumer, api, credential }: Story): string {
  const offers = offered.length === 0 ? 'no plans' : offered.join(', ');
  const { claim } = (credential?.used === 'token' ? credential.token?.plan : null) ?? {};
  if (through === 'anonymous') return `${name}, which ${api!.name} gives to callers without a key`;
  if (through === 'token') return `${name}, as the token's claim ${claim} says`;
  if (through === 'none') {
    const has =
      own === null
        ? `${consumer} has no plan of its own`
        : claim === undefined
          ? `${consumer} has the plan ${own}`
          : `the token's claim ${claim} names ${inBrief(own)}`;
    return `none: ${has} and no subscription to ${api!.name}, which offers ${offers}`;
  }
  const changed = Object.entries(limits).map(([quota, limit]) => `${quota} ${ownLimitWords(limit)}`);
  const replaced = changed.length === 0 ? '' : `, with limits of its own: ${changed.join(', ')}`;
  if (through === 'subscription') return `${name}, by the subscription to ${api!.name}${replaced}`;
  return `${name}, the consumer's own plan, which ${api!.name} offers`;
}

function ownLimitWords(own: PlanStory['limits'][string]): string {
  const { limit, burst } = typeof own === 'number' ? { limit: own, burst: undefined } : own;
  return [limit === undefined ? '' : grouped(limit), burst === undefined ? '' : `with a burst of ${grouped(burst)}`]
    .filter((words) => words !== '')
    .join(' ');
}

function quotaWords(
  { name, limit, used, remaining, resetSeconds, resetsAt, isObserved, ...more }: QuotaStanding,
  all: readonly QuotaStanding[],
  isRefused: boolean,
): string {
  const width = Math.max(...all.map((quota) => quota.name.length));
  const state =
    used === null
      ? `limit ${grouped(limit)}`
      : `${grouped(used)} of ${grouped(limit)} used, ${grouped(remaining!)} left, resets in ${timeSpan(resetSeconds ?? 0)}${resetsAt === undefined ? '' : ` (${resetsAt})`}`;
  const { per, counter, warned } = more;
  const notes = [
    ...(isRefused ? ['refused by this one'] : []),
    ...(isObserved ? ['only observed'] : []),
    ...(per === undefined ? [] : [`counted ${perWords(per)}`]),
    ...(counter === undefined ? [] : [`in the counter ${counter}`]),
    ...(warned === undefined ? [] : [`warns of ${warned} %`]),
  ];
  return [`${name.padEnd(width)}  ${state}`, ...notes].join('; ');
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
  return linesOf('headers', lines);
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
