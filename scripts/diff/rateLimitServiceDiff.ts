import type { RateLimitServiceConfig, Policy } from '../policy/index.ts';
import type { Difference, Effect } from './difference.ts';

const SUBJECT = 'rateLimitService';

/** What differs in where mesh-wide quotas are counted. */
export function rateLimitServiceDifferences(
  old: RateLimitServiceConfig | undefined,
  next: RateLimitServiceConfig | undefined,
): Difference[] {
  if (old === undefined || next === undefined) {
    if (old === next) return [];
    return [
      {
        subject: SUBJECT,
        text: next === undefined ? `removed: was ${placeText(old!)}` : `added: ${placeText(next)}`,
        effects: [],
      },
    ];
  }
  const say = (text: string, ...effects: Effect[]): Difference => ({ subject: SUBJECT, text, effects });
  return [
    ...(old.cluster === next.cluster
      ? []
      : [say(`cluster ${old.cluster} → ${next.cluster}: counts are those that the service there has`, 'restarts')]),
    ...(old.domain === next.domain ? [] : [say(`domain ${old.domain} → ${next.domain}`, 'restarts')]),
    ...(old.timeoutMilliseconds === next.timeoutMilliseconds
      ? []
      : [say(`a request waits up to ${next.timeoutMilliseconds} ms (was: ${old.timeoutMilliseconds} ms)`)]),
  ];
}

/** Of two policies; quotas that are counted otherwise say so themselves. */
export function calendarDifferences(old: Policy, next: Policy): Difference[] {
  const [before, after] = [old.rateLimitService?.calendarMonths, next.rateLimitService?.calendarMonths];
  if (before === undefined || after === undefined || before === after) return [];
  return [
    {
      subject: SUBJECT,
      text: after
        ? 'now counts calendar months: the service must run with USE_CALENDAR_MONTH_RATE_LIMIT=true'
        : 'no longer counts calendar months: the service must run without USE_CALENDAR_MONTH_RATE_LIMIT',
      effects: [],
    },
  ];
}

function placeText({ cluster, domain, timeoutMilliseconds }: RateLimitServiceConfig): string {
  return `cluster ${cluster}, domain ${domain}, a request waits up to ${timeoutMilliseconds} ms`;
}
