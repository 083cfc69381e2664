import type { KeyConfig } from '../policy/index.ts';
import { listChange, type Effect } from './difference.ts';

interface Change {
  readonly text: string;
  readonly effects: readonly Effect[];
}

/** What differs in where a key may be used, and what for. A list that was not there limited nothing. */
export function keyLimitChanges(old: KeyConfig, next: KeyConfig): Change[] {
  return [
    ...changesOf(old.apis, next.apis, {
      any: 'for any API',
      only: (apis) => `for ${apis.join(', ')} only`,
      with: (api) => `for ${api}`,
      without: (api) => `no longer for ${api}`,
    }),
    ...changesOf(old.scopes, next.scopes, {
      any: 'with all scopes of its consumer',
      only: (scopes) => `with ${scopeText(scopes)} only`,
      with: (scope) => `with the scope ${scope}`,
      without: (scope) => `without the scope ${scope}`,
    }),
  ];
}

/** `, for pets only, with the scope read only`: of a key that is new. */
export function keyLimitText({ apis, scopes }: KeyConfig): string {
  const ofApis = apis === undefined ? '' : `, for ${apis.join(', ')} only`;
  return ofApis + (scopes === undefined ? '' : `, with ${scopeText(scopes)} only`);
}

function scopeText(scopes: readonly string[]): string {
  return `the scope${scopes.length === 1 ? '' : 's'} ${scopes.join(', ')}`;
}

interface Words {
  readonly any: string;
  readonly only: (items: readonly string[]) => string;
  readonly with: (item: string) => string;
  readonly without: (item: string) => string;
}

function changesOf(old: readonly string[] | undefined, next: readonly string[] | undefined, words: Words): Change[] {
  if (old === undefined) return next === undefined ? [] : [{ text: words.only(next), effects: ['narrows'] }];
  if (next === undefined) return [{ text: words.any, effects: ['widens'] }];
  const { added, removed } = listChange(old, next);
  return [
    ...added.map((item): Change => ({ text: words.with(item), effects: ['widens'] })),
    ...removed.map((item): Change => ({ text: words.without(item), effects: ['narrows'] })),
  ];
}
