import type { ConsumerConfig, PluginConfig, SubscriptionConfig } from '../policy/index.ts';
import { counted, listChange, type Difference, type Effect } from './difference.ts';
import { holdingOf } from './holding.ts';
import { keyDifferences, periodChanges } from './keyDiff.ts';
import { quotaChanges, quotasOf } from './quota.ts';

/** What differs for each consumer: what it holds on which API, and its keys. */
export function consumerDifferences(old: PluginConfig, next: PluginConfig): Difference[] {
  const before = new Map(old.consumers.map((consumer) => [consumer.name, consumer]));
  const { removed } = listChange([...before.keys()], next.consumers.map(({ name }) => name));
  const gone = new Map(removed.map((name) => [name, before.get(name)!]));
  const differences = next.consumers.flatMap((consumer) => {
    const former = before.get(consumer.name) ?? take(gone, consumer);
    if (former === undefined) return [added(next, consumer)];
    const renamed: Difference[] = former.name === consumer.name ? [] : [{ subject: `consumer ${former.name}`, text: `is now called ${consumer.name}`, effects: ['restarts'] }];
    return [...renamed, ...holdingDifferences(old, next, former, consumer), ...keyDifferences(consumer.name, former.keys ?? [], consumer.keys ?? [])];
  });
  return [...differences, ...[...gone.values()].map(({ name, keys = [] }): Difference => ({
    subject: `consumer ${name}`, text: `removed; ${counted(keys.length, 'key')} no longer work${keys.length === 1 ? 's' : ''}`, effects: ['narrows'],
  }))];
}

/** A consumer under another name is known by a key that it kept. */
function take(gone: Map<string, ConsumerConfig>, consumer: ConsumerConfig): ConsumerConfig | undefined {
  const digests = new Set((consumer.keys ?? []).map(({ digest }) => digest));
  const former = [...gone.values()].find(({ keys = [] }) => keys.some(({ digest }) => digests.has(digest)));
  if (former !== undefined) gone.delete(former.name);
  return former;
}

function added(config: PluginConfig, consumer: ConsumerConfig): Difference {
  const holdings = config.apis.flatMap(({ name }) => holdingOf(config, consumer, name) ?? []).map(({ api, plan }) => `plan ${plan} on ${api}`);
  const keys = consumer.keys ?? [];
  const text = `added with ${[...(holdings.length === 0 ? ['no plan'] : holdings), counted(keys.length, 'key')].join(', ')}`;
  return { subject: `consumer ${consumer.name}`, text, effects: holdings.length > 0 && keys.length > 0 ? ['widens'] : [] };
}

function holdingDifferences(old: PluginConfig, next: PluginConfig, before: ConsumerConfig, after: ConsumerConfig): Difference[] {
  const apis = new Set([...next.apis, ...old.apis].map(({ name }) => name));
  return [...apis].flatMap((api) => {
    const [former, current] = [holdingOf(old, before, api), holdingOf(next, after, api)];
    // an API that came or went says so itself
    if (!next.apis.some(({ name }) => name === api) || (former === null && !old.apis.some(({ name }) => name === api))) return [];
    const say = (text: string, effects: readonly Effect[]): Difference => ({ subject: `consumer ${after.name}`, text: `${api}: ${text}`, effects });
    if (former === null || current === null) {
      if (former === current) return [];
      return [current === null ? say(`no longer holds plan ${former!.plan}`, ['narrows']) : say(`holds plan ${current.plan}`, ['widens'])];
    }
    return subscriptionChanges(old, next, former, current).map(({ text, effects }) => say(text, effects));
  });
}

function subscriptionChanges(old: PluginConfig, next: PluginConfig, former: SubscriptionConfig, current: SubscriptionConfig): { text: string; effects: readonly Effect[] }[] {
  const plan = (config: PluginConfig, name: string) => config.plans.find((candidate) => candidate.name === name);
  const changes: { text: string; effects: readonly Effect[] }[] = [];
  if (former.plan !== current.plan) {
    const quotas = quotaChanges(quotasOf(plan(old, former.plan), former.limits), quotasOf(plan(next, current.plan), current.limits), true);
    const detail = quotas.map(({ text }) => text).join('; ');
    changes.push({ text: `plan ${former.plan} → ${current.plan}${detail === '' ? '' : `: ${detail}`}`, effects: [...new Set(quotas.flatMap(({ effects }) => effects))] });
  } else {
    // the plan's own change is said of the plan; here only what the consumer's own limits change
    const own = plan(next, current.plan);
    for (const { text, effects } of quotaChanges(quotasOf(own, former.limits), quotasOf(own, current.limits))) changes.push({ text: `own limit: ${text}`, effects });
  }
  if (former.paused !== current.paused) changes.push(current.paused ? { text: 'subscription paused', effects: ['narrows'] } : { text: 'subscription no longer paused', effects: ['widens'] });
  for (const { text, effects } of periodChanges(former, current)) changes.push({ text: `subscription ${text}`, effects });
  return changes;
}
