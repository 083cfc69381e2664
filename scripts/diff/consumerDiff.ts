import type { ConsumerConfig, PluginConfig, SubscriptionConfig } from '../policy/index.ts';
import { counted, type Difference, type Effect } from './difference.ts';
import type { Holdings } from './holding.ts';
import { keyDifferences, periodChanges } from './keyDiff.ts';
import { quotaChanges, quotasOf } from './quota.ts';

/** What differs for each consumer: what it holds on which API, and its keys. */
export function consumerDifferences(
  old: PluginConfig,
  next: PluginConfig,
  before: Holdings,
  after: Holdings,
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

function added(after: Holdings, consumer: ConsumerConfig): Difference {
  const holdings = after.all(consumer).map(({ api, plan }) => `plan ${plan} on ${api}`);
  const keys = consumer.keys ?? [];
  const text = `added with ${[...(holdings.length === 0 ? ['no plan'] : holdings), counted(keys.length, 'key')].join(', ')}`;
  return {
    subject: `consumer ${consumer.name}`,
    text,
    effects: holdings.length > 0 && keys.length > 0 ? ['widens'] : [],
  };
}

/** APIs at which a plan is offered now and was not, or the other way round. */
function changedOffers(before: Holdings, after: Holdings): (plan: string) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  return (plan) => {
    if (!known.has(plan)) {
      const [old, next] = [new Set(before.offering(plan)), new Set(after.offering(plan))];
      known.set(plan, [...[...next].filter((api) => !old.has(api)), ...[...old].filter((api) => !next.has(api))]);
    }
    return known.get(plan)!;
  };
}

/** APIs on which a consumer may hold something else than before. A plan that it keeps changes nothing where it is offered as before. */
function concernedApis(
  before: Holdings,
  after: Holdings,
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
  const apis = new Set([...before.subscriptionsOf(old).keys(), ...after.subscriptionsOf(next).keys(), ...ofPlans]);
  return [...apis].sort();
}

function holdingDifferences(
  before: Holdings,
  after: Holdings,
  old: ConsumerConfig,
  next: ConsumerConfig,
  changed: (plan: string) => readonly string[],
): Difference[] {
  return concernedApis(before, after, old, next, changed).flatMap((api) => {
    const [former, current] = [before.on(old, api), after.on(next, api)];
    // an API that came or went says so itself
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
  before: Holdings,
  after: Holdings,
  former: SubscriptionConfig,
  current: SubscriptionConfig,
): { text: string; effects: readonly Effect[] }[] {
  const changes: { text: string; effects: readonly Effect[] }[] = [];
  if (former.plan !== current.plan) {
    const quotas = quotaChanges(
      quotasOf(before.plans.get(former.plan), former.limits),
      quotasOf(after.plans.get(current.plan), current.limits),
      true,
    );
    const detail = quotas.map(({ text }) => text).join('; ');
    changes.push({
      text: `plan ${former.plan} → ${current.plan}${detail === '' ? '' : `: ${detail}`}`,
      effects: [...new Set(quotas.flatMap(({ effects }) => effects))],
    });
  } else {
    // the plan's own change is said of the plan; here only what the consumer's own limits change
    const own = after.plans.get(current.plan);
    for (const { text, effects } of quotaChanges(quotasOf(own, former.limits), quotasOf(own, current.limits)))
      changes.push({ text: `own limit: ${text}`, effects });
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
