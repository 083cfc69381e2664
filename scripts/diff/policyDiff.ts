import { isSameInAnyOrder, type KeySourceConfig, type PluginConfig } from '../policy/index.ts';
import { listChange, type Difference } from './difference.ts';

const SUBJECT = 'policy';

/** What differs in the policy itself. */
export function policyDifferences(old: PluginConfig, next: PluginConfig): Difference[] {
  return [
    ...nameChange(old, next),
    ...unmatchedChange(old, next),
    ...keySourceChange(old, next),
    ...forwardKeyChange(old, next),
    ...realmChange(old, next),
  ];
}

function nameChange(old: PluginConfig, next: PluginConfig): Difference[] {
  return old.policy === next.policy
    ? []
    : [{ subject: SUBJECT, text: `is now called ${next.policy} (was ${old.policy})`, effects: ['restarts'] }];
}

function unmatchedChange(old: PluginConfig, next: PluginConfig): Difference[] {
  if (old.unmatched === next.unmatched) return [];
  if (next.unmatched === 'allow')
    return [
      {
        subject: SUBJECT,
        text: 'unmatched deny → allow: requests that match no API pass, unchecked',
        effects: ['widens'],
      },
    ];
  return [
    { subject: SUBJECT, text: 'unmatched allow → deny: requests that match no API are refused', effects: ['narrows'] },
  ];
}

function keySourceChange(old: PluginConfig, next: PluginConfig): Difference[] {
  const { added, removed } = listChange(old.keySources.map(sourceText), next.keySources.map(sourceText));
  const differences: Difference[] = [
    ...added.map((source): Difference => ({
      subject: SUBJECT,
      text: `keys are also taken from ${source}`,
      effects: [],
    })),
    ...removed.map((source): Difference => ({
      subject: SUBJECT,
      text: `keys are no longer taken from ${source}`,
      effects: ['narrows'],
    })),
  ];
  return differences.length > 0 || isSameInAnyOrder({ keySources: old.keySources }, { keySources: next.keySources })
    ? differences
    : [{ subject: SUBJECT, text: 'key sources in another order', effects: [] }];
}

function sourceText(source: KeySourceConfig): string {
  const [kind, name] = Object.entries(source)[0] as [string, string];
  return `${kind} ${name}`;
}

function forwardKeyChange(old: PluginConfig, next: PluginConfig): Difference[] {
  if (old.forwardKey === next.forwardKey) return [];
  return [
    {
      subject: SUBJECT,
      text: next.forwardKey ? 'upstreams now see the key' : 'upstreams no longer see the key',
      effects: [],
    },
  ];
}

function realmChange(old: PluginConfig, next: PluginConfig): Difference[] {
  if (old.realm === next.realm) return [];
  return [
    {
      subject: SUBJECT,
      text: `a 401 now names the realm ${next.realm === undefined ? 'of the API' : JSON.stringify(next.realm)}`,
      effects: [],
    },
  ];
}
