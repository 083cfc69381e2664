import type { PlanConfig, QuotaConfig } from '../contract/pluginConfig.ts';
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
  /** What it counts together, where that is not each consumer. */
  readonly per?: NonNullable<QuotaConfig['per']>;
  /** The counter that it shares with quotas of other plans. */
  readonly counter?: string;
  /** Percentages of its limit at which callers are warned. */
  readonly warnAt?: readonly number[];
  /** The one that was reached, as the caller is told. */
  readonly warned?: number;
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

/** The same with what the plan says of its quotas beside their limits, and what a caller is warned of. */
export function inPlan(
  standings: readonly QuotaStanding[],
  plan: PlanConfig | undefined,
  response: HeaderMap,
): QuotaStanding[] {
  const warnings = itemsOf(response.first('ratelimit-warning') ?? '');
  return standings.map((standing) => {
    const { per, counter, warnAt } = plan?.quotas?.find(({ name }) => name === standing.name) ?? {};
    const warned = warnings.get(standing.name)?.['p'];
    return {
      ...standing,
      ...(per && { per }),
      ...(counter !== undefined && { counter }),
      ...(warnAt && { warnAt }),
      ...(warned !== undefined && { warned }),
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
