import type { HeaderMap } from '../host/stream.ts';

/** One quota as an answer names it: what is left, of how much, until when. */
export interface QuotaStanding {
  readonly name: string;
  readonly limit: number;
  readonly windowSeconds: number;
  /** True for one that would refuse, and is only observed. */
  readonly isObserved: boolean;
  /** Null: not known, because the quota was not asked about. */
  readonly used: number | null;
  readonly remaining: number | null;
  readonly resetSeconds: number | null;
  /** What the clock of the calendar's zone shows then; not there without a zone. */
  readonly resetsAt?: string;
}

/** `"per-second";q=10;w=1`, one item of the answer's fields. */
const ITEM = /"([^"]*)"((?:;[a-z]+=\d+)*)/g;

/** All quotas that the module charged or looked at, from `ratelimit-policy` and `ratelimit`. */
export function standingsOf(response: HeaderMap): QuotaStanding[] {
  const left = itemsOf(response.first('ratelimit') ?? '');
  return [...itemsOf(response.first('ratelimit-policy') ?? '')].map(([name, { q = 0, w = 0 }]) => {
    const { r, t } = left.get(name) ?? {};
    return {
      name,
      limit: q,
      windowSeconds: w,
      isObserved: false,
      used: r === undefined ? null : Math.max(0, q - r),
      remaining: r ?? null,
      resetSeconds: t ?? null,
    };
  });
}

function itemsOf(field: string): Map<string, Record<string, number | undefined>> {
  const items = [...field.matchAll(ITEM)].map(([, name = '', parameters = '']) => {
    const pairs = [...parameters.matchAll(/;([a-z]+)=(\d+)/g)].map(([, key = '', value = '']) => [key, Number(value)]);
    return [name, Object.fromEntries(pairs) as Record<string, number>] as const;
  });
  return new Map(items);
}
