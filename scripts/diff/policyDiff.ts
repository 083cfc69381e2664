import { type PluginConfig, type Policy, type RateLimitServiceConfig } from '../policy/index.ts';
import { keyDifferences, keyRemovalChange } from './keySourceDiff.ts';
import { workloadProofChange } from './identityDiff.ts';
import { type Difference, type Effect } from './difference.ts';
import { disclosureChange } from './disclosureDiff.ts';

const POLICY = 'policy';

/** What differs in the policy itself. */
export function policyDifferences(old: PluginConfig, next: PluginConfig): Difference[] {
  return [
    ...nameChange(old, next),
    ...unmatchedChange(old, next),
    ...clientAddressChange(old, next),
    ...workloadProofChange(old, next),
    ...keyDifferences(POLICY, old, next),
    ...keyRemovalChange(old, next),
    ...realmChange(old, next),
    ...disclosureChange(old, next),
  ];
}

function nameChange(old: PluginConfig, next: PluginConfig): Difference[] {
  return old.policy === next.policy
    ? []
    : [{ subject: POLICY, text: `is now called ${next.policy} (was ${old.policy})`, effects: ['restarts'] }];
}

function unmatchedChange(old: PluginConfig, next: PluginConfig): Difference[] {
  if (old.unmatched === next.unmatched) return [];
  if (next.unmatched === 'allow')
    return [
      {
        subject: POLICY,
        text: 'unmatched deny → allow: requests that match no API pass, unchecked',
        effects: ['widens'],
      },
    ];
  return [
    { subject: POLICY, text: 'unmatched allow → deny: requests that match no API are refused', effects: ['narrows'] },
  ];
}

function clientAddressChange(old: PluginConfig, next: PluginConfig): Difference[] {
  const [before, after] = [old, next].map(({ clientAddress }) => addressText(clientAddress?.trustedHops)) as [
    string,
    string,
  ];
  const [counted, counts] = [blockText(old.clientAddress), blockText(next.clientAddress)];
  return [
    ...(before === after
      ? []
      : [{ subject: POLICY, text: `the client's address is ${after} (was: ${before})`, effects: [] }]),
    ...(counted === counts
      ? []
      : [{ subject: POLICY, text: `one caller is ${counts} (was: ${counted})`, effects: ['restarts' as const] }]),
  ];
}

function blockText({ ipv4 = 32, ipv6 = 64 }: { ipv4?: number; ipv6?: number } = {}): string {
  return `/${ipv4} of IPv4, /${ipv6} of IPv6`;
}

function addressText(trustedHops: number | undefined): string {
  return trustedHops === undefined
    ? 'what Envoy takes for it'
    : `entry ${trustedHops} of x-forwarded-for from the right`;
}

function realmChange(old: PluginConfig, next: PluginConfig): Difference[] {
  if (old.realm === next.realm) return [];
  return [
    {
      subject: POLICY,
      text: `a 401 now names the realm ${next.realm === undefined ? 'of the API' : JSON.stringify(next.realm)}`,
      effects: [],
    },
  ];
}

const SERVICE = 'rateLimitService';

/** What differs in where mesh-wide quotas are counted. */
export function rateLimitServiceDifferences(
  old: RateLimitServiceConfig | undefined,
  next: RateLimitServiceConfig | undefined,
): Difference[] {
  if (old === undefined || next === undefined) {
    if (old === next) return [];
    return [
      {
        subject: SERVICE,
        text: next === undefined ? `removed: was ${serviceText(old!)}` : `added: ${serviceText(next)}`,
        effects: [],
      },
    ];
  }
  const say = (text: string, ...effects: Effect[]): Difference => ({ subject: SERVICE, text, effects });
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

/** Of two policies; quotas that are counted differently are differences of their own. */
export function serviceMonthDifferences(old: Policy, next: Policy): Difference[] {
  const [before, after] = [old.rateLimitService?.calendarMonths, next.rateLimitService?.calendarMonths];
  if (before === undefined || after === undefined || before === after) return [];
  return [
    {
      subject: SERVICE,
      text: after
        ? 'now counts calendar months: the service must run with USE_CALENDAR_MONTH_RATE_LIMIT=true'
        : 'no longer counts calendar months: the service must run without USE_CALENDAR_MONTH_RATE_LIMIT',
      effects: [],
    },
  ];
}

function serviceText({ cluster, domain, timeoutMilliseconds }: RateLimitServiceConfig): string {
  return `cluster ${cluster}, domain ${domain}, a request waits up to ${timeoutMilliseconds} ms`;
}
