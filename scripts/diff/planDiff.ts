import { REFUSAL_STATUS } from '../contract/table.ts';
import {
  isPlansOwn,
  isSameInAnyOrder,
  sizeOf,
  type ConcurrencyConfig,
  type ConfigHoldings,
  type Held,
  type PlanConfig,
  type PluginConfig,
  type QuotaConfig,
} from '../policy/index.ts';
import { grouped, listChange, type Difference, type Effect } from './difference.ts';

/** What differs in the plans, and for whom. */
export function planDifferences(
  old: PluginConfig,
  next: PluginConfig,
  before: ConfigHoldings,
  after: ConfigHoldings,
): Difference[] {
  return [
    ...next.plans.flatMap((plan): Difference[] => {
      const { name, quotas = [] } = plan;
      const former = before.plans.get(name);
      if (former === undefined)
        return [
          {
            subject: `plan ${name}`,
            text: quotas.length === 0 ? 'added without quotas: unlimited' : 'added',
            effects: [],
            consumers: after.holdersOf(name),
          },
        ];
      return [
        ...refusalChange(former, plan),
        ...concurrencyChange(former, plan),
        ...quotaChanges(former.quotas ?? [], quotas),
      ].map(({ text, effects, quota }) => ({
        subject: `plan ${name}`,
        text,
        effects,
        consumers: concerned(before, after, name, quota),
      }));
    }),
    ...old.plans
      .filter(({ name }) => !after.plans.has(name))
      .map(({ name }): Difference => ({ subject: `plan ${name}`, text: 'removed', effects: [] })),
  ];
}

/** Who held the plan and still does. A changed limit does not concern consumers that have a limit of their own. */
function concerned(before: ConfigHoldings, after: ConfigHoldings, plan: string, quota: string | undefined): string[] {
  const former = new Set(before.holdersOf(plan));
  return (quota === undefined ? after.holdersOf(plan) : after.boundBy(plan, quota)).filter((name) => former.has(name));
}

function refusalChange({ refusal: old }: PlanConfig, { refusal: next }: PlanConfig): QuotaChange[] {
  if (isSameInAnyOrder(old, next)) return [];
  const [before, after] = [old, next].map((refusal) => refusal?.status ?? REFUSAL_STATUS);
  const text =
    before === after
      ? 'says something else to those whom its quotas refuse'
      : `answers ${before} → ${after} where its quotas refuse`;
  return [{ text, effects: [] }];
}

/** What differs in how many requests may be in flight; what is only observed refuses nobody. */
function concurrencyChange({ concurrency: old }: PlanConfig, { concurrency: next }: PlanConfig): QuotaChange[] {
  if (isSameInAnyOrder(old, next)) return [];
  const text = `requests in flight ${concurrencyText(old)} → ${concurrencyText(next)}`;
  if (flightPer(old) !== flightPer(next) && old !== undefined && next !== undefined)
    return [{ text, effects: ['restarts'] }];
  const [before, after] = [mostFlights(old), mostFlights(next)];
  return [{ text, effects: before === after ? [] : [before < after ? 'widens' : 'narrows'] }];
}

function flightPer(concurrency: ConcurrencyConfig | undefined): string {
  return concurrency?.per ?? 'consumer';
}

function mostFlights(concurrency: ConcurrencyConfig | undefined): number {
  return concurrency === undefined || concurrency.mode === 'observe' ? Infinity : concurrency.limit;
}

/** `10 for each key`, `10, only observed`, `unlimited` */
function concurrencyText(concurrency: ConcurrencyConfig | undefined): string {
  if (concurrency === undefined) return 'unlimited';
  const observed = concurrency.mode === 'observe' ? ', only observed' : '';
  return `${grouped(concurrency.limit)} for each ${flightPer(concurrency)}${observed}`;
}

/** True of plans only: an operation without quotas of its own still has the plan's. */
export const UNLIMITED = 'no quota is left: unlimited';

export interface QuotaChange {
  readonly text: string;
  readonly effects: readonly Effect[];
  /** The quota that both have and that consumers may have a limit of their own for. */
  readonly quota?: string;
}

/** `10 a second`, `5 a second with a burst of 20`, `10,000 in 30 days for each API over the whole mesh` */
export function quotaText({ limit, window, burst, per, scope }: QuotaConfig): string {
  return `${grouped(limit)} ${spanText(window)}${burst === undefined ? '' : ` with a burst of ${grouped(burst)}`}${per === undefined ? '' : PER_TEXTS[per]}${scope === 'mesh' ? ' over the whole mesh' : ''}`;
}

const PER_TEXTS = {
  api: ' for each API',
  operation: ' for each operation',
  key: ' for each key',
  group: ' for each group',
  address: ' for each address',
} as const;

function observedText({ mode }: QuotaConfig): string {
  return mode === 'observe' ? ', only observed' : '';
}

const UNIT_NAMES: Readonly<Record<string, string>> = { s: 'seconds', m: 'minutes', h: 'hours', d: 'days' };

function spanText(window: string): string {
  const [, number, unit] = /^(\d+)([smhd])$/.exec(window) ?? [];
  return number === undefined ? `${window === 'hour' ? 'an' : 'a'} ${window}` : `in ${number} ${UNIT_NAMES[unit!]}`;
}

/**
 * How a plan's quotas differ, or those of two plans. A counter is known by the quota's name, window and kind: what changes
 * one of them begins at zero.
 */
export function quotaChanges(old: readonly QuotaConfig[], next: readonly QuotaConfig[]): QuotaChange[] {
  const { added, removed } = listChange(
    old.map(({ name }) => name),
    next.map(({ name }) => name),
  );
  const get = (quotas: readonly QuotaConfig[], name: string): QuotaConfig =>
    quotas.find((quota) => quota.name === name)!;
  const renamed = new Map<string, string>();
  for (const name of removed) {
    const twin = added.find(
      (other) =>
        ![...renamed.values()].includes(other) &&
        isSameInAnyOrder(
          { ...get(next, other), name: '', counter: undefined },
          { ...get(old, name), name: '', counter: undefined },
        ),
    );
    if (twin !== undefined) renamed.set(name, twin);
  }
  const isRenamed = (name: string): boolean => renamed.has(name) || [...renamed.values()].includes(name);
  return [
    ...next
      .filter(({ name }) => !added.includes(name))
      .flatMap((quota) =>
        [
          ...change(get(old, quota.name), quota),
          ...failureModeChange(get(old, quota.name), quota),
          ...warningChange(get(old, quota.name), quota),
        ].map((changed) => ({ ...changed, quota: quota.name })),
      ),
    ...[...renamed].map(([from, to]): QuotaChange => ({
      text: `quota ${from} is now called ${to}`,
      effects: counterName(get(old, from)) === counterName(get(next, to)) ? [] : ['restarts'],
    })),
    ...added
      .filter((name) => !isRenamed(name))
      .map((name): QuotaChange => ({
        text: `quota ${name} added: ${quotaText(get(next, name))}${observedText(get(next, name))}`,
        effects: get(next, name).mode === 'observe' ? [] : ['narrows'],
      })),
    ...removed
      .filter((name) => !isRenamed(name))
      .map((name): QuotaChange => ({
        text: `quota ${name} removed: was ${quotaText(get(old, name))}${observedText(get(old, name))}`,
        effects: get(old, name).mode === 'observe' ? [] : ['widens'],
      })),
    ...(old.length > 0 && next.length === 0 ? [{ text: UNLIMITED, effects: [] }] : []),
  ];
}

function change(old: QuotaConfig, next: QuotaConfig): QuotaChange[] {
  if (old.scope !== next.scope) {
    // what each Envoy counted for itself is now counted for all of them together, or the other way round
    return [
      {
        text: `${next.name} ${scopeText(old)} → ${scopeText(next)}`,
        effects: ['restarts', next.scope === 'mesh' ? 'narrows' : 'widens'],
      },
    ];
  }
  if (counterName(old) !== counterName(next)) {
    const texts = [quotaText(old), quotaText(next)] as const;
    const other = texts[0] === texts[1] ? '' : `${texts[0]} → ${texts[1]}, `;
    return [
      {
        text: `${next.name} ${other}counted ${counterText(next)} (was: ${counterText(old)})`,
        effects: ['restarts'],
      },
    ];
  }
  if (counting(old) === counting(next)) {
    if (old.window === next.window) return [];
    const text = next.window === 'day' ? "counts the calendar's days" : 'counts 24 hours in UTC';
    return [{ text: `${next.name} ${text}`, effects: [] }];
  }
  const isBucket = (quota: QuotaConfig): boolean => quota.burst !== undefined;
  if (lengthOf(old) !== lengthOf(next) || old.per !== next.per || isBucket(old) !== isBucket(next)) {
    return [{ text: `${next.name} ${quotaText(old)} → ${quotaText(next)}`, effects: ['restarts'] }];
  }
  if (old.burst === next.burst)
    return [
      {
        text: `${next.name} ${grouped(old.limit)} → ${grouped(next.limit)}`,
        effects: [old.limit < next.limit ? 'widens' : 'narrows'],
      },
    ];
  const sizes: Effect[] = [old.limit, old.burst!].map((size, index): Effect =>
    size <= [next.limit, next.burst!][index]! ? 'widens' : 'narrows',
  );
  const effects: Effect[] = old.limit === next.limit ? [sizes[1]!] : [...new Set(sizes)];
  return [{ text: `${next.name} ${quotaText(old)} → ${quotaText(next)}`, effects }];
}

/** What a quota's counters are known by, in Envoys; with a `/` it is that of one plan. */
function counterName({ name, counter }: QuotaConfig): string {
  return counter ?? name;
}

function counterText({ counter }: QuotaConfig): string {
  if (counter === undefined) return "with the consumer's main plan";
  return counter.includes('/') ? 'for the plan alone' : `in the counter ${counter}`;
}

/** What is counted, without what happens when nobody can count. */
function counting({ limit, burst, per, ...rest }: QuotaConfig): string {
  return JSON.stringify([limit, lengthOf(rest), burst, per]);
}

/** Part of what a counter is known by; `1d` stands for a day that no calendar moves, and has its counter. */
function lengthOf({ window }: Pick<QuotaConfig, 'window'>): string {
  return window === '1d' ? 'day' : window;
}

function scopeText(quota: QuotaConfig): string {
  return `${quotaText(quota)}${quota.scope === 'mesh' ? '' : ' in each Envoy'}`;
}

/** From what lets nothing pass to what lets all pass. */
const FAILURE_MODES = ['deny', 'local-share', 'allow'] as const;

function failureModeChange(old: QuotaConfig, next: QuotaConfig): QuotaChange[] {
  if (old.scope !== 'mesh' || next.scope !== 'mesh' || failureText(old) === failureText(next)) return [];
  const rank = ({ onUnavailable, localShare = 0 }: QuotaConfig): number =>
    FAILURE_MODES.indexOf(onUnavailable ?? 'deny') + localShare / 2 ** 54;
  return [
    {
      text: `${next.name} while the rate limit service does not answer: ${failureText(old)} → ${failureText(next)}`,
      effects: [rank(old) < rank(next) ? 'widens' : 'narrows'],
    },
  ];
}

function warningChange(old: QuotaConfig, next: QuotaConfig): QuotaChange[] {
  const [before, after] = [old, next].map(({ warnAt = [] }) => warnAt.map((percent) => `${percent} %`).join(', '));
  if (before === after) return [];
  const text = after === '' ? 'no longer warns' : `warns at ${after}`;
  return [{ text: `${next.name} ${text}${before === '' ? '' : ` (was: at ${before})`}`, effects: [] }];
}

function failureText({ onUnavailable, localShare }: QuotaConfig): string {
  return localShare === undefined ? (onUnavailable ?? 'deny') : `local share of ${grouped(localShare)}`;
}

/**
 * The quotas of a plan as a subscription's own limits and counters make them. `then` is the plan as it was, where that tells which of them
 * had counters of the plan's own.
 */
export function quotasOf(
  plan: PlanConfig | undefined,
  { limits, ownCounters }: Pick<Partial<Held>, 'limits' | 'ownCounters'> = {},
  then = plan,
): QuotaConfig[] {
  const isOwn = (name: string): boolean =>
    (then?.quotas ?? []).some((quota) => quota.name === name && isPlansOwn(quota));
  return (plan?.quotas ?? []).map((quota) => ({
    ...quota,
    ...sizeFields(sizeOf({ limits }, quota.name, quota)),
    // no name holds a slash
    ...(ownCounters && isOwn(quota.name) && { counter: `${plan!.name}/${quota.name}` }),
  }));
}

function sizeFields({ limit, burst }: ReturnType<typeof sizeOf>): Pick<QuotaConfig, 'limit' | 'burst'> {
  return { limit, ...(burst !== undefined && { burst }) };
}
