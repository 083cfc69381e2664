import type { CorsConfig } from '../policy/index.ts';
import { listChange, type Effect } from './difference.ts';

/** What differs in an API's cors, and what that does to pages in browsers. */
export function corsChanges(
  old: CorsConfig | undefined,
  next: CorsConfig | undefined,
): { text: string; effects: Effect[] }[] {
  if (next === undefined) return old === undefined ? [] : [{ text: 'cors removed', effects: ['narrows'] }];
  if (old === undefined) return [{ text: `cors added for ${next.origins.join(', ')}`, effects: ['widens'] }];
  const changes: { text: string; effects: Effect[] }[] = [];
  for (const [field, noun] of [
    ['origins', 'origin'],
    ['methods', 'method'],
    ['headers', 'header'],
    ['exposedHeaders', 'exposed header'],
  ] as const) {
    const { added, removed } = listChange(old[field] ?? [], next[field] ?? []);
    for (const item of added) changes.push({ text: `cors: ${noun} ${item} added`, effects: ['widens'] });
    for (const item of removed) changes.push({ text: `cors: ${noun} ${item} removed`, effects: ['narrows'] });
  }
  if (old.credentials !== next.credentials)
    changes.push(
      next.credentials
        ? { text: 'cors: credentials false → true: pages may send cookies', effects: ['widens'] }
        : { text: 'cors: credentials true → false: pages send no cookies', effects: ['narrows'] },
    );
  if (old.maxAgeSeconds !== next.maxAgeSeconds)
    changes.push({ text: `cors: maxAge ${ageText(old.maxAgeSeconds)} → ${ageText(next.maxAgeSeconds)}`, effects: [] });
  return changes;
}

function ageText(seconds: number | undefined): string {
  return seconds === undefined ? "the browser's own" : `${seconds}s`;
}
