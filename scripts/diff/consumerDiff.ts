import type { ConfigHoldings, ConsumerConfig, Held, Holding, KeyConfig, PluginConfig } from '../policy/index.ts';
import { groupDifferences } from './counterDiff.ts';
import { addressChanges, originChanges } from './addressDiff.ts';
import { counted, listChange, type Difference, type Effect } from './difference.ts';
import { keyLimitChanges, keyLimitText } from './keyLimitDiff.ts';
import { subjectDifferences, workloadDifferences } from './identityDiff.ts';
import { quotaChanges, quotasOf } from './planDiff.ts';

/** What differs for each consumer: what it holds on which API, and its keys. */
export function consumerDifferences(
  old: PluginConfig,
  next: PluginConfig,
  before: ConfigHoldings,
  after: ConfigHoldings,
): Difference[] {
  const [known, present] = [
    new Map(old.consumers.map((consumer) => [consumer.name, consumer])),
    new Set(next.consumers.map(({ name }) => name)),
  ];
  const gone = new Map(
    old.consumers.filter(({ name }) => !present.has(name)).map((consumer) => [consumer.name, consumer]),
  );
  const owners = ownersOf(gone.values());
  const changed = changedOffers(before, after);
  const differences = next.consumers.flatMap((consumer) => {
    const former = known.get(consumer.name) ?? take(gone, owners, consumer);
    if (former === undefined) return [added(after, consumer)];
    const renamed: Difference[] =
      former.name === consumer.name
        ? []
        : [{ subject: `consumer ${former.name}`, text: `is now called ${consumer.name}`, effects: ['restarts'] }];
    return [
      ...renamed,
      ...holdingDifferences(before, after, former, consumer, changed),
      ...keyDifferences(consumer.name, former.keys ?? [], consumer.keys ?? []),
      ...groupDifferences(after, former, consumer),
      ...scopeDifferences(consumer.name, former.scopes ?? [], consumer.scopes ?? []),
      ...workloadDifferences(consumer.name, former.workloads ?? [], consumer.workloads ?? []),
      ...subjectDifferences(consumer.name, former.tokens, consumer.tokens),
      ...[
        ...addressChanges(former.addresses, consumer.addresses),
        ...originChanges(former.origins, consumer.origins),
      ].map(({ text, effects }): Difference => ({
        subject: `consumer ${consumer.name}`,
        text,
        effects,
      })),
    ];
  });
  return [
    ...differences,
    ...[...gone.values()].map(({ name, keys = [] }): Difference => ({
      subject: `consumer ${name}`,
      text: `removed; ${counted(keys.length, 'key')} no longer work${keys.length === 1 ? 's' : ''}`,
      effects: ['narrows'],
    })),
  ];
}

function scopeDifferences(name: string, old: readonly string[], next: readonly string[]): Difference[] {
  const { added, removed } = listChange(old, next);
  const subject = `consumer ${name}`;
  return [
    ...added.map((scope): Difference => ({ subject, text: `has the scope ${scope}`, effects: ['widens'] })),
    ...removed.map((scope): Difference => ({
      subject,
      text: `no longer has the scope ${scope}`,
      effects: ['narrows'],
    })),
  ];
}

function ownersOf(consumers: Iterable<ConsumerConfig>): Map<string, string> {
  return new Map(
    [...consumers].flatMap(({ name, keys = [] }) => keys.map(({ digest }): [string, string] => [digest, name])),
  );
}

/** A consumer under another name is known by a key that it kept. */
function take(
  gone: Map<string, ConsumerConfig>,
  owners: ReadonlyMap<string, string>,
  consumer: ConsumerConfig,
): ConsumerConfig | undefined {
  const key = consumer.keys?.find(({ digest }) => gone.has(owners.get(digest) ?? ''));
  const former = key && gone.get(owners.get(key.digest)!);
  if (former !== undefined) gone.delete(former.name);
  return former;
}

function added(after: ConfigHoldings, consumer: ConsumerConfig): Difference {
  const holdings = after.all(after.grantee(consumer.name)).map(({ api, plan }) => `plan ${plan} on ${api}`);
  const keys = consumer.keys ?? [];
  const text = `added with ${[...(holdings.length === 0 ? ['no plan'] : holdings), counted(keys.length, 'key'), ...otherText(consumer)].join(', ')}`;
  return {
    subject: `consumer ${consumer.name}`,
    text,
    effects: holdings.length > 0 && (keys.length > 0 || otherText(consumer).length > 0) ? ['widens'] : [],
  };
}

/** Its credentials beside keys. */
function otherText({ workloads = [], tokens = [] }: ConsumerConfig): string[] {
  const subjects = tokens.flatMap((token) => token.subjects);
  return [
    ...(workloads.length === 0 ? [] : [counted(workloads.length, 'workload')]),
    ...(subjects.length === 0 ? [] : [counted(subjects.length, 'token subject')]),
  ];
}

/** APIs that offer a plan now and did not, or the other way round. */
function changedOffers(before: ConfigHoldings, after: ConfigHoldings): (plan: string) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  return (plan) => {
    if (!known.has(plan)) {
      const [old, next] = [new Set(before.offering(plan)), new Set(after.offering(plan))];
      known.set(plan, [...[...next].filter((api) => !old.has(api)), ...[...old].filter((api) => !next.has(api))]);
    }
    return known.get(plan)!;
  };
}

/**
 * APIs on which a consumer may hold something else than before. A plan that it keeps changes nothing where it is still
 * offered.
 */
function concernedApis(
  before: ConfigHoldings,
  after: ConfigHoldings,
  old: ConsumerConfig,
  next: ConsumerConfig,
  changed: (plan: string) => readonly string[],
): string[] {
  const ofPlans =
    old.plan === next.plan
      ? next.plan === undefined
        ? []
        : changed(next.plan)
      : [...before.offering(old.plan), ...after.offering(next.plan)];
  const apis = new Set([
    ...Object.keys(before.grantee(old.name).subscriptions),
    ...Object.keys(after.grantee(next.name).subscriptions),
    ...ofPlans,
  ]);
  return [...apis].sort();
}

function holdingDifferences(
  before: ConfigHoldings,
  after: ConfigHoldings,
  old: ConsumerConfig,
  next: ConsumerConfig,
  changed: (plan: string) => readonly string[],
): Difference[] {
  return concernedApis(before, after, old, next, changed).flatMap((api) => {
    const [former, current] = [before.on(before.grantee(old.name), api), after.on(after.grantee(next.name), api)];
    // an added or removed API is a difference of its own
    if (!after.has(api) || (former === null && !before.has(api))) return [];
    const say = (text: string, effects: readonly Effect[]): Difference => ({
      subject: `consumer ${next.name}`,
      text: `${api}: ${text}`,
      effects,
    });
    if (former === null || current === null) {
      if (former === current) return [];
      return [
        current === null
          ? say(`no longer holds plan ${former!.plan}`, ['narrows'])
          : say(`holds plan ${current.plan}`, ['widens']),
      ];
    }
    return subscriptionChanges(before, after, former, current).map(({ text, effects }) => say(text, effects));
  });
}

function subscriptionChanges(
  before: ConfigHoldings,
  after: ConfigHoldings,
  former: Holding<Held>,
  current: Holding<Held>,
): { text: string; effects: readonly Effect[] }[] {
  const changes: { text: string; effects: readonly Effect[] }[] = [];
  if (former.plan !== current.plan) {
    const quotas = quotaChanges(
      quotasOf(before.plans.get(former.plan), former),
      quotasOf(after.plans.get(current.plan), current),
    );
    const detail = quotas.map(({ text }) => text).join('; ');
    changes.push({
      text: `plan ${former.plan} → ${current.plan}${detail === '' ? '' : `: ${detail}`}`,
      effects: [...new Set(quotas.flatMap(({ effects }) => effects))],
    });
  } else {
    // a change of the plan itself is reported with the plan; here only what the consumer's own limits change
    const own = after.plans.get(current.plan);
    for (const { text, effects } of quotaChanges(
      quotasOf(own, former, before.plans.get(former.plan)),
      quotasOf(own, current),
    ))
      changes.push({ text: effects.includes('restarts') ? text : `own limit: ${text}`, effects });
  }
  if (former.paused !== current.paused)
    changes.push(
      current.paused
        ? { text: 'subscription paused', effects: ['narrows'] }
        : { text: 'subscription no longer paused', effects: ['widens'] },
    );
  for (const { text, effects } of periodChanges(former, current))
    changes.push({ text: `subscription ${text}`, effects });
  return changes;
}

interface Period {
  readonly from?: number | undefined;
  readonly until?: number | undefined;
}

/** What differs in when something begins and ends. */
function periodChanges(old: Period, next: Period): { text: string; effects: readonly Effect[] }[] {
  const changes: { text: string; effects: readonly Effect[] }[] = [];
  if (old.from !== next.from) {
    changes.push({
      text:
        next.from === undefined
          ? `works at once (was: from ${time(old.from!)})`
          : `begins ${time(next.from)} (was: ${old.from === undefined ? 'at once' : time(old.from)})`,
      effects: [(next.from ?? 0) < (old.from ?? 0) ? 'widens' : 'narrows'],
    });
  }
  if (old.until !== next.until) {
    changes.push({
      text:
        next.until === undefined
          ? `no longer ends (was: ${time(old.until!)})`
          : `ends ${time(next.until)} (was: ${old.until === undefined ? 'never' : time(old.until)})`,
      effects: [(next.until ?? Infinity) > (old.until ?? Infinity) ? 'widens' : 'narrows'],
    });
  }
  return changes;
}

/** What differs in a consumer's keys. A key is its digest; the id is only its name. */
function keyDifferences(consumer: string, old: readonly KeyConfig[], next: readonly KeyConfig[]): Difference[] {
  const say = (id: string, text: string, effects: readonly Effect[]): Difference => ({
    subject: `consumer ${consumer}`,
    text: `key ${id} ${text}`,
    effects,
  });
  const before = new Map(old.map((key) => [key.digest, key]));
  const after = new Set(next.map(({ digest }) => digest));
  return [
    ...next.flatMap((key) => {
      const former = before.get(key.digest);
      if (former === undefined)
        return [
          say(
            key.id,
            `added${periodText(key)}${keyLimitText(key)}${key.revoked ? ', revoked' : ''}`,
            key.revoked ? [] : ['widens'],
          ),
        ];
      return keyChanges(former, key).map(({ text, effects }) => say(key.id, text, effects));
    }),
    ...old
      .filter(({ digest }) => !after.has(digest))
      .map(({ id, revoked }) => say(id, 'removed', revoked ? [] : ['narrows'])),
  ];
}

function keyChanges(old: KeyConfig, next: KeyConfig): { text: string; effects: readonly Effect[] }[] {
  return [
    ...(old.id === next.id ? [] : [{ text: `is the former ${old.id}`, effects: [] }]),
    ...(old.revoked === next.revoked
      ? []
      : [
          next.revoked
            ? { text: 'revoked', effects: ['narrows'] as const }
            : { text: 'no longer revoked', effects: ['widens'] as const },
        ]),
    ...periodChanges(old, next),
    ...keyLimitChanges(old, next),
    ...addressChanges(old.addresses, next.addresses),
  ];
}

function periodText({ from, until }: Period): string {
  return `${from === undefined ? '' : `, begins ${time(from)}`}${until === undefined ? '' : `, ends ${time(until)}`}`;
}

function time(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
