import type { Available } from '../harness/envoy/available.ts';
import type { Attack } from './form.ts';
import { runAttack, type Outcome } from './trial.ts';

export interface Campaign {
  readonly attacks: readonly Attack[];
  readonly seed: number;
  readonly ms: number;
  readonly found: Available;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
}

/** Each attack in its part of the time, one after another, until one finds a fault. */
export async function runCampaign({ attacks, seed, ms, found, signal, progress }: Campaign): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const attack of attacks) {
    if (signal.aborted) break;
    progress(`${attack.name}: ${attack.tries}`);
    const outcome = await runAttack(attack, { seed, ms: timeOf(attack, attacks, ms), found, signal });
    outcomes.push(outcome);
    progress(`  ${describe(outcome)}`);
    if (outcome.fault !== null) break;
  }
  return outcomes;
}

/** Its part of `ms`, by weight. */
export function timeOf(attack: Attack, attacks: readonly Attack[], ms: number): number {
  const sum = attacks.reduce((total, { weight = 1 }) => total + weight, 0);
  return (ms * (attack.weight ?? 1)) / sum;
}

/** `held: 45,210 requests, 22,604 resets in 60 s (45,210 and 22,604 a minute)`. */
export function describe({ counts, seconds, fault }: Outcome): string {
  const figures = [...counts].map(([what, count]) => `${count.toLocaleString('en-US')} ${what}`).join(', ');
  const rate = [...counts]
    .filter(([what]) => what !== 'Envoys')
    .map(([what, count]) => `${Math.round((count * 60) / seconds).toLocaleString('en-US')} ${what}`)
    .join(', ');
  return `${fault === null ? 'held' : 'FAULT'}: ${figures || 'nothing'} in ${seconds.toFixed(0)} s${rate === '' ? '' : ` (a minute: ${rate})`}`;
}
