import { isSameInAnyOrder, type LifecycleConfig } from '../policy/index.ts';
import type { Difference, Effect } from './difference.ts';

type Field = keyof LifecycleConfig;

interface Words {
  /** What a request meets from now on. */
  readonly begins: (config: LifecycleConfig) => string;
  readonly ends: string;
  /** True where requests no longer get through to what they asked for. */
  readonly closes: boolean;
}

const WORDS: Readonly<Record<Field, Words>> = {
  deprecated: {
    begins: ({ deprecated }) =>
      `deprecated since ${timeText(Number(deprecated!.deprecation.slice(1)))}${deprecated!.sunset === undefined ? '' : `, sunset ${deprecated!.sunset}`}`,
    ends: 'no longer deprecated',
    closes: false,
  },
  retired: {
    begins: ({ retired }) => `retired${fromText(retired!.from)}: requests get 410`,
    ends: 'no longer retired',
    closes: true,
  },
  maintenance: {
    begins: ({ maintenance }) =>
      `maintenance${fromText(maintenance!.from)}${maintenance!.until === undefined ? '' : ` until ${timeText(maintenance!.until)}`}: requests get 503`,
    ends: 'no more maintenance',
    closes: true,
  },
  redirect: {
    begins: ({ redirect }) => `redirected to ${redirect!.to} with ${redirect!.status ?? 308}`,
    ends: 'no longer redirected',
    closes: true,
  },
  mock: {
    begins: ({ mock }) => `answered by a mock with ${mock!.status ?? 200}`,
    ends: 'no longer answered by a mock',
    closes: false,
  },
};

export const LIFECYCLE_FIELDS = Object.keys(WORDS) as Field[];

/** What an API or a route says of its life that it did not say before. */
export function lifecycleDifferences(subject: string, old: LifecycleConfig, next: LifecycleConfig): Difference[] {
  return LIFECYCLE_FIELDS.filter((field) => !isSameInAnyOrder(old[field], next[field])).map((field): Difference => {
    const { begins, ends, closes } = WORDS[field];
    const effects: Effect[] = [];
    if (closes && old[field] === undefined) effects.push('narrows');
    if (closes && next[field] === undefined) effects.push('widens');
    return { subject, text: next[field] === undefined ? ends : begins(next), effects };
  });
}

function fromText(from: number | undefined): string {
  return from === undefined ? '' : ` from ${timeText(from)}`;
}

function timeText(seconds: number): string {
  return Number.isFinite(seconds) && Math.abs(seconds) < 1e12
    ? new Date(seconds * 1000).toISOString().replace('.000', '')
    : 'an unknown time';
}
