import type { ApiConfig, PluginConfig } from '../policy/index.ts';
import { listChange, type Difference, type Effect } from './difference.ts';

/** What differs in what proves a workload's certificate. */
export function workloadProofChange(old: PluginConfig, next: PluginConfig): Difference[] {
  if (old.workloadProof === next.workloadProof) return [];
  return next.workloadProof === 'listener'
    ? [
        {
          subject: 'policy',
          text: 'workloadProof rbac → listener: every certificate of a workload counts that a listener takes',
          effects: ['widens'],
        },
      ]
    : [
        {
          subject: 'policy',
          text: 'workloadProof listener → rbac: certificates count only where an RBAC filter has found them verified',
          effects: ['narrows'],
        },
      ];
}

/** What differs in the credentials that an API takes. Who sends two may be somebody else by their order. */
export function credentialChanges(old: ApiConfig, next: ApiConfig): { text: string; effects: Effect[] }[] {
  const [before, after] = [old.credentials ?? ['key'], next.credentials ?? ['key']];
  if (before.join() === after.join()) return [];
  const { added, removed } = listChange(before, after);
  return [
    {
      text: `credentials ${before.join(', ')} → ${after.join(', ')}`,
      effects: [
        ...(added.length > 0 ? (['widens'] as const) : []),
        ...(removed.length > 0 ? (['narrows'] as const) : []),
      ],
    },
  ];
}

/** What differs in the workloads that are a consumer. */
export function workloadDifferences(name: string, old: readonly string[], next: readonly string[]): Difference[] {
  const { added, removed } = listChange(old, next);
  const subject = `consumer ${name}`;
  return [
    ...added.map((workload): Difference => ({ subject, text: `is the workload ${workload}`, effects: ['widens'] })),
    ...removed.map((workload): Difference => ({
      subject,
      text: `is no longer the workload ${workload}`,
      effects: ['narrows'],
    })),
  ];
}
