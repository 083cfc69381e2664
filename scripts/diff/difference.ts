/** What a difference does: more may pass, less may pass, or a counter begins at zero again. */
export type Effect = 'widens' | 'narrows' | 'restarts';

export interface Difference {
  /** What differs: `policy`, `API petstore`, `plan free`, `consumer acme`. */
  readonly subject: string;
  readonly text: string;
  readonly effects: readonly Effect[];
  /** Consumers that it concerns, where they can be told. */
  readonly consumers?: readonly string[];
}

const EFFECT_TEXT: Readonly<Record<Effect, string>> = {
  widens: 'widens access',
  narrows: 'narrows access',
  restarts: 'counters start anew',
};

/** `plan free: monthly 10,000 → 5,000 for 3 consumers (acme, globex, initech) [narrows access]` */
export function printDifference({ subject, text, effects, consumers }: Difference): string {
  const marks = effects.length === 0 ? '' : ` [${effects.map((effect) => EFFECT_TEXT[effect]).join(', ')}]`;
  return `${subject}: ${text}${consumers === undefined ? '' : ` for ${crowd(consumers)}`}${marks}`;
}

const MAX_LISTED = 5;

function crowd(names: readonly string[]): string {
  if (names.length === 0) return 'no consumer';
  return `${counted(names.length, 'consumer')}${names.length <= MAX_LISTED ? ` (${names.join(', ')})` : ''}`;
}

export function counted(number: number, noun: string): string {
  return `${grouped(number)} ${noun}${number === 1 ? '' : 's'}`;
}

/** 10000 → 10,000, the same everywhere. */
export function grouped(number: number): string {
  return String(number).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** What was added to a list, and what was removed. */
export function listChange<T>(old: readonly T[], next: readonly T[]): { added: T[]; removed: T[] } {
  const [before, after] = [new Set(old), new Set(next)];
  return { added: next.filter((item) => !before.has(item)), removed: old.filter((item) => !after.has(item)) };
}
