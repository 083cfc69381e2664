import type { AddressesConfig } from '../policy/index.ts';
import { listChange, type Effect } from './difference.ts';

/** The same for the origins of pages. */
export function originChanges(
  old: readonly string[] | undefined,
  next: readonly string[] | undefined,
): { text: string; effects: readonly Effect[] }[] {
  if (old === undefined && next === undefined) return [];
  if (next === undefined) return [{ text: 'allowed from any origin', effects: ['widens'] }];
  if (old === undefined) return [{ text: `allowed from pages of ${next.join(', ')} only`, effects: ['narrows'] }];
  const { added, removed } = listChange(old, next);
  return [
    ...added.map((origin) => ({ text: `allowed from pages of ${origin}`, effects: ['widens'] as const })),
    ...removed.map((origin) => ({ text: `no longer allowed from pages of ${origin}`, effects: ['narrows'] as const })),
  ];
}

/** What differs in where calls may come from. A list that was not there allowed everything. */
export function addressChanges(
  old: AddressesConfig = {},
  next: AddressesConfig = {},
): { text: string; effects: readonly Effect[] }[] {
  const say = (text: string, effect: Effect): { text: string; effects: readonly Effect[] } => ({
    text,
    effects: [effect],
  });
  const denied = listChange(old.deny ?? [], next.deny ?? []);
  const changes = [
    ...denied.added.map((block) => say(`denied from ${block}`, 'narrows')),
    ...denied.removed.map((block) => say(`no longer denied from ${block}`, 'widens')),
  ];
  if (old.allow === undefined && next.allow === undefined) return changes;
  if (old.allow === undefined) return [say(`allowed from ${next.allow!.join(', ')} only`, 'narrows'), ...changes];
  if (next.allow === undefined) return [say('allowed from anywhere', 'widens'), ...changes];
  const allowed = listChange(old.allow, next.allow);
  return [
    ...allowed.added.map((block) => say(`allowed from ${block}`, 'widens')),
    ...allowed.removed.map((block) => say(`no longer allowed from ${block}`, 'narrows')),
    ...changes,
  ];
}
