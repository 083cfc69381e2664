import { isSameInAnyOrder, type KeySourceConfig, type PluginConfig, type ApiConfig } from '../policy/index.ts';
import { listChange, type Difference } from './difference.ts';

/** Where keys are taken from, and whether upstreams see them: of a policy, or of one of its APIs. */
export interface KeyFields {
  readonly keySources: readonly KeySourceConfig[];
  readonly forwardKey?: boolean;
}

/** What differs in the places of keys, and in what upstreams see. */
export function keyDifferences(subject: string, old: KeyFields, next: KeyFields): Difference[] {
  const { added, removed } = listChange(old.keySources.map(sourceText), next.keySources.map(sourceText));
  const isReordered =
    added.length + removed.length === 0 &&
    !isSameInAnyOrder({ keySources: old.keySources }, { keySources: next.keySources });
  const say = (text: string): Difference => ({ subject, text, effects: [] });
  const upstreams = subject === 'policy' ? 'upstreams' : 'its upstreams';
  return [
    ...added.map((source) => say(`keys are also taken from ${source}`)),
    ...removed.map((source): Difference => ({
      ...say(`keys are no longer taken from ${source}`),
      effects: ['narrows'],
    })),
    ...(isReordered ? [say('key sources in another order')] : []),
    ...((old.forwardKey ?? false) === (next.forwardKey ?? false)
      ? []
      : [say(next.forwardKey ? `${upstreams} now see the key` : `${upstreams} no longer see the key`)]),
  ];
}

/** Who takes keys off requests. */
export function keyRemovalChange(old: PluginConfig, next: PluginConfig): Difference[] {
  const [before = 'module', after = 'module'] = [old.keyRemoval, next.keyRemoval];
  if (before === after) return [];
  const how =
    after === 'routes' ? 'leaves keys in requests, and routing tables take them off' : 'takes keys off requests itself';
  return [{ subject: 'policy', text: `keyRemoval ${before} → ${after}: the module ${how}`, effects: [] }];
}

/**
 * The same of an API that has places of its own, or had: what it comes to. One that has the policy's before and after changes with those,
 * which is said once.
 */
export function apiKeyDifferences(
  subject: string,
  [old, before]: readonly [ApiConfig, PluginConfig],
  [next, after]: readonly [ApiConfig, PluginConfig],
): Difference[] {
  const isOwn = old.keySources !== undefined || next.keySources !== undefined;
  const forwards = old.forwardKey !== undefined || next.forwardKey !== undefined;
  if (!isOwn && !forwards) return [];
  const places = (api: ApiConfig, config: PluginConfig): KeyFields => ({
    keySources: isOwn ? (api.keySources ?? config.keySources) : [],
    forwardKey: forwards ? (api.forwardKey ?? config.forwardKey ?? false) : false,
  });
  return keyDifferences(subject, places(old, before), places(next, after));
}

function sourceText(source: KeySourceConfig): string {
  const [kind, name] = Object.entries(source)[0] as [string, string];
  return `${kind} ${name}${'prefix' in source ? ` behind ${JSON.stringify(source.prefix)}` : ''}`;
}
