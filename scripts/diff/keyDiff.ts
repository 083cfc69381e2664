import type { KeyConfig } from '../policy/index.ts';
import type { Difference, Effect } from './difference.ts';

interface Period {
  readonly from?: number | undefined;
  readonly until?: number | undefined;
}

/** What differs in when something begins and ends. */
export function periodChanges(old: Period, next: Period): { text: string; effects: readonly Effect[] }[] {
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
export function keyDifferences(consumer: string, old: readonly KeyConfig[], next: readonly KeyConfig[]): Difference[] {
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
        return [say(key.id, `added${periodText(key)}${key.revoked ? ', revoked' : ''}`, key.revoked ? [] : ['widens'])];
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
  ];
}

function periodText({ from, until }: Period): string {
  return `${from === undefined ? '' : `, begins ${time(from)}`}${until === undefined ? '' : `, ends ${time(until)}`}`;
}

function time(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
