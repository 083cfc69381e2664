/**
 * Every series that the module counts, as Prometheus shows it. The module takes names from a file generated from this table
 * (assembly/metricName.ts), and docs/metrics.md its tables. Imports nothing.
 *
 * Envoy knows no labels when a module defines a metric: labels stand in the name and are taken out of it by the `stats_tags` of Envoy's
 * bootstrap. The form is the one that Istio's proxies look for when a label is named in `extraStatTags`:
 *
 *   policy=.=petstore;.;api=.=orders;.;tollgate_requests_total
 */
export const LABEL_EQUALS = '=.=';
export const LABEL_END = ';.;';
/** Before the names of all metrics of modules, in Envoy's own statistics; Prometheus does not show it. */
export const STAT_PREFIX = 'wasmcustom.';

export const LABELS = [
  'policy',
  'api',
  'operation',
  'plan',
  'reason',
  'quota',
  'mode',
  'percent',
  'version',
  'digest',
] as const;
export type Label = (typeof LABELS)[number];

/** Hex digits of the policy's digest in the label. */
export const SHOWN_DIGEST_DIGITS = 12;
/** Series of one VM; Envoy never forgets one, so those of renamed APIs and of earlier edits count too. */
export const MAX_SERIES = 8192;

export interface Metric {
  readonly kind: 'counter' | 'gauge';
  readonly labels: readonly Label[];
  /** What it counts, in a sentence without its stop. */
  readonly help: string;
}

export const METRICS = {
  tollgate_requests_total: {
    kind: 'counter',
    labels: ['policy', 'api', 'plan', 'reason', 'quota'],
    help: 'requests decided, by reason; `api` and `plan` are absent where the decision did not get so far, `quota` is there when a quota of the plan refused',
  },
  tollgate_operation_requests_total: {
    kind: 'counter',
    labels: ['policy', 'api', 'operation', 'reason', 'quota'],
    help: 'the requests among these that came to an operation which their API lists; `quota` is there when one of its own refused',
  },
  tollgate_observed_total: {
    kind: 'counter',
    labels: ['policy', 'api', 'plan', 'reason', 'quota'],
    help: 'requests that passed only because a `mode` is `observe`, by the reason for which they would have been refused',
  },
  tollgate_quota_warnings_total: {
    kind: 'counter',
    labels: ['policy', 'plan', 'quota', 'percent'],
    help: 'counters of a quota that have reached a percentage of its `warnAt`, each once in a window; only for policies with `warnAt`',
  },
  tollgate_anonymous_crowded_total: {
    kind: 'counter',
    labels: ['policy'],
    help: 'units that callers without a key, and addresses that a quota counts, took from a counter that they share, because there was no place for one more of them; only where an API has a plan for such callers or a quota counts per address',
  },
  tollgate_requests_in_flight: {
    kind: 'gauge',
    labels: ['policy'],
    help: 'requests in flight on this Envoy, of those that a `concurrency` counts, looked at every four seconds; only for policies with `concurrency`',
  },
  tollgate_info: {
    kind: 'gauge',
    labels: ['policy', 'version', 'digest'],
    help: '1 while some VM has this policy in force, with the version of the module and the first 12 hex digits of the policy digest; 0 once none has',
  },
  tollgate_zones_ended: {
    kind: 'gauge',
    labels: ['policy'],
    help: 'time zones of calendars that the plugin config no longer knows: their last offset goes on until a new config comes; only for policies with `calendar`',
  },
  tollgate_vms: {
    kind: 'gauge',
    labels: ['policy'],
    help: "VMs of this Envoy that serve the policy and gave a sign of life in the last seconds: Envoy's `server.concurrency` + 1",
  },
  tollgate_vms_lost_total: {
    kind: 'counter',
    labels: ['policy'],
    help: 'VMs that were silent for five seconds: they have died',
  },
  tollgate_rate_limit_service_calls_total: {
    kind: 'counter',
    labels: ['policy'],
    help: 'calls to the rate limit service',
  },
  tollgate_rate_limit_service_requested_units_total: {
    kind: 'counter',
    labels: ['policy'],
    help: 'units that the calls asked for',
  },
  tollgate_rate_limit_service_granted_units_total: {
    kind: 'counter',
    labels: ['policy'],
    help: 'units that the service granted',
  },
  tollgate_rate_limit_service_returned_units_total: {
    kind: 'counter',
    labels: ['policy'],
    help: 'units that idle workers gave back to their Envoy',
  },
  tollgate_rate_limit_service_refusals_total: {
    kind: 'counter',
    labels: ['policy'],
    help: 'counters that the service answered with "over limit"',
  },
  tollgate_rate_limit_service_failures_total: {
    kind: 'counter',
    labels: ['policy'],
    help: 'calls without a usable answer',
  },
  tollgate_rate_limit_service_unlimited_total: {
    kind: 'counter',
    labels: ['policy'],
    help: "answers that name no limit and so grant nothing: the service's configuration does not match the policy",
  },
  tollgate_rate_limit_service_held_units: {
    kind: 'gauge',
    labels: ['policy'],
    help: 'units that this Envoy holds, counted every four seconds; each worker may have up to a quarter more for half a second',
  },
  tollgate_rate_limit_service_unavailable_vms: {
    kind: 'gauge',
    labels: ['policy'],
    help: 'VMs whose last call to the service failed',
  },
  tollgate_waits_total: {
    kind: 'counter',
    labels: ['policy'],
    help: 'requests that waited for the rate limit service',
  },
  tollgate_wait_milliseconds_total: {
    kind: 'counter',
    labels: ['policy'],
    help: 'how long they waited in all',
  },
  tollgate_wait_timeouts_total: {
    kind: 'counter',
    labels: ['policy'],
    help: 'requests whose wait ended without an answer',
  },
  tollgate_quota_unavailable_total: {
    kind: 'counter',
    labels: ['policy', 'mode'],
    help: "requests that a quota's `onUnavailable` decided; `mode` is `deny`, `allow` or `local-share`",
  },
} as const satisfies Readonly<Record<`tollgate_${string}`, Metric>>;

export type MetricName = keyof typeof METRICS;

/** A series as Envoy's own statistics name it, without the prefix: labels in the order of the table. */
export function statName(name: MetricName, labels: Readonly<Partial<Record<Label, string>>>): string {
  const shown = LABELS.filter((label) => labels[label] !== undefined);
  return shown.map((label) => `${label}${LABEL_EQUALS}${labels[label]}${LABEL_END}`).join('') + name;
}

/** The reverse of `statName`, with the prefix or without; null when it is no series of the module. */
export function parseStatName(stat: string): { name: MetricName; labels: Partial<Record<Label, string>> } | null {
  const parts = (stat.startsWith(STAT_PREFIX) ? stat.slice(STAT_PREFIX.length) : stat).split(LABEL_END);
  const name = parts.pop()!;
  if (!Object.hasOwn(METRICS, name)) return null;
  const labels: Partial<Record<Label, string>> = Object.fromEntries(
    parts.map((part) => part.split(LABEL_EQUALS) as [Label, string]),
  );
  return { name: name as MetricName, labels };
}

/** What takes a label out of a name: for `stats_config.stats_tags` of an Envoy's bootstrap, as Istio writes it for `extraStatTags`. */
export function statsTags(): { tag_name: Label; regex: string }[] {
  return LABELS.map((label) => ({ tag_name: label, regex: `(${label}=\\.=(.*?);\\.;)` }));
}
