import { envoySeries, quantile, rate, series, share, sum, type Panel, type Query, type Row } from './panel.ts';

/** Reasons of requests that go on to an upstream. */
export const ADMITTED = ['allowed', 'anonymous', 'preflight', 'unmatched'] as const;
/** Reasons of requests that the module answers as was asked. */
export const ANSWERED = ['preflight_answered'] as const;
/** Reasons of requests that get what the policy has for them. */
const SERVED = ['mocked', 'redirected', 'me_answered'];

const REFUSED = `reason!~"${[...ADMITTED, ...ANSWERED, ...SERVED].join('|')}"`;
/** Refusals for which the caller can do nothing. */
const OUR_FAULT = 'reason=~"internal_error|not_configured|quota_unavailable|too_many_waiting"';
const REQUESTS = 'tollgate_requests_total';
/** Not the requests for statistics themselves. */
const NOT_ADMIN = 'envoy_http_conn_manager_prefix!="admin"';
const IN_FORCE = `${series('tollgate_info')} == 1`;

const requests = (...matchers: string[]): string => rate(series(REQUESTS, ...matchers));
const service = (name: string): string => series(`tollgate_rate_limit_service_${name}`);

/** The dashboard's contents: everything that examples/monitoring/dashboard.json shows. */
export const ROWS: readonly Row[] = [
  { title: 'At a glance', panels: glance() },
  { title: 'Requests', panels: traffic() },
  { title: 'Refusals', panels: refusals() },
  { title: 'Latency', panels: latency() },
  { title: 'Mesh-wide quotas and the rate limit service', panels: mesh() },
  { title: 'Policies in force, and health of the module', panels: policies() },
];

function glance(): Panel[] {
  return [
    number('Requests', 'Requests decided in a second, all reasons.', 'reqps', sum(requests())),
    {
      ...number(
        'Refused',
        'Part of all requests that were refused, whatever the reason.',
        'percentunit',
        share(`(${sum(requests(REFUSED))} or vector(0))`, sum(requests())),
      ),
      alarm: { warning: 0.5 },
    },
    {
      ...number(
        'Server-side refusals',
        'Refused though the caller did nothing wrong: internal_error, not_configured, quota_unavailable, too_many_waiting. Should be zero.',
        'reqps',
        `${sum(requests(OUR_FAULT))} or vector(0)`,
      ),
      alarm: { critical: 0.000001 },
    },
    number(
      'Proxies with a policy in force',
      'Proxies in which at least one VM has a policy in force.',
      'none',
      `count(count by (instance) (${IN_FORCE}))`,
    ),
    {
      ...number(
        'Versions of a policy',
        'Different digests of one policy that are in force at the same time: 1, and for a short time 2 during a rollout.',
        'none',
        `max(count by (policy) (count by (policy, digest) (${IN_FORCE})))`,
      ),
      alarm: { warning: 2 },
    },
    {
      ...number(
        'VMs lost',
        'VMs that died in the time shown. Each is a worker that served nothing until Envoy made its VM anew.',
        'none',
        `${sum(`increase(${series('tollgate_vms_lost_total')}[$__range])`)} or vector(0)`,
      ),
      alarm: { critical: 0.5 },
    },
  ];
}

function traffic(): Panel[] {
  return [
    stack('By reason', 'Every request, by what was decided.', sum(requests(), 'reason'), '{{reason}}'),
    {
      ...stack(
        'By API',
        'Requests that an API covers; the rest came to no API.',
        sum(requests('api=~".+"'), 'api'),
        '{{api}}',
      ),
      queries: [query(sum(requests('api=~".+"'), 'api'), '{{api}}'), query(sum(requests('api=""')), 'no API')],
    },
    stack(
      'By plan',
      'Requests whose caller is known and subscribed, allowed or not.',
      sum(requests('plan=~".+"'), 'plan'),
      '{{plan}}',
    ),
    {
      ...stack(
        'By operation',
        'The twenty that are called most, of APIs that list operations.',
        `topk(20, ${sum(rate(series('tollgate_operation_requests_total')), 'api', 'operation')})`,
        '{{api}}: {{operation}}',
      ),
      width: 24,
    },
  ];
}

function refusals(): Panel[] {
  return [
    stack(
      'Refusals by reason',
      'docs/reasons.md says what each means.',
      sum(requests(REFUSED), 'reason'),
      '{{reason}}',
    ),
    graph(
      'Refused, by API',
      'Part of the requests of each API that was refused.',
      'percentunit',
      query(share(sum(requests(REFUSED, 'api=~".+"'), 'api'), sum(requests('api=~".+"'), 'api')), '{{api}}'),
    ),
    stack(
      'Keys that were not accepted',
      'Many unknown keys at once are somebody who guesses, or a client whose key was revoked.',
      sum(requests('reason=~".*_api_key"'), 'reason'),
      '{{reason}}',
    ),
    stack(
      'Quota refusals',
      'Which quota of which plan said no.',
      sum(requests('reason="quota_exceeded"'), 'api', 'plan', 'quota'),
      '{{api}}: {{plan}}, {{quota}}',
    ),
    graph(
      'Refused by a quota, by plan',
      'Near 100 % hardly anybody on that plan is served: the limit is too low, or one caller runs wild.',
      'percentunit',
      query(share(sum(requests('reason="quota_exceeded"'), 'plan'), sum(requests('plan=~".+"'), 'plan')), '{{plan}}'),
    ),
    graph(
      'Counters near their limits',
      'Callers that reached a percentage of a quota which warns, in an hour: whom to offer a larger plan.',
      'none',
      query(
        sum(`increase(${series('tollgate_quota_warnings_total')}[1h])`, 'plan', 'quota', 'percent'),
        '{{plan}}: {{quota}}, {{percent}} %',
      ),
    ),
    {
      ...stack(
        'Would have been refused',
        'Requests that passed only because a mode is observe, by what would have refused them: docs/observe.md.',
        sum(rate(series('tollgate_observed_total')), 'api', 'reason'),
        '{{api}}: {{reason}}',
      ),
      width: 24,
    },
  ];
}

function latency(): Panel[] {
  const downstream = envoySeries('envoy_http_downstream_rq_time_bucket', NOT_ADMIN);
  const istio = envoySeries('istio_request_duration_milliseconds_bucket');
  const upstream = envoySeries('envoy_cluster_upstream_rq_time_bucket');
  return [
    graph(
      'Whole requests',
      "From the request's first byte to the answer's last, as Envoy measures it, refusals included. On Istio the same from Istio's own histogram.",
      'ms',
      query(quantile(0.5, downstream), 'p50'),
      query(quantile(0.99, downstream), 'p99'),
      query(quantile(0.5, istio), 'p50 (Istio)'),
      query(quantile(0.99, istio), 'p99 (Istio)'),
    ),
    graph(
      'Upstreams',
      'What upstreams take, p99. What whole requests take beyond that is the network, waiting for quotas, and Envoy itself. Istio shows it for clusters named in proxyStatsMatcher.',
      'ms',
      query(quantile(0.99, upstream, 'envoy_cluster_name'), '{{envoy_cluster_name}}'),
    ),
    graph(
      'Wait for a mesh-wide quota',
      'Mean wait of the requests that had to wait for the rate limit service. Most requests do not wait.',
      'ms',
      query(
        share(
          sum(rate(series('tollgate_wait_milliseconds_total')), 'policy'),
          sum(rate(series('tollgate_waits_total')), 'policy'),
        ),
        '{{policy}}',
      ),
    ),
  ];
}

function mesh(): Panel[] {
  return [
    graph(
      'Calls to the service',
      'Calls, those without a usable answer, counters that the service refused, and answers that name no limit. The last must be zero: the service does not know the policy.',
      'cps',
      query(sum(rate(service('calls_total')), 'policy'), '{{policy}}: calls'),
      query(sum(rate(service('failures_total')), 'policy'), '{{policy}}: failures'),
      query(sum(rate(service('refusals_total')), 'policy'), '{{policy}}: refusals'),
      query(sum(rate(service('unlimited_total')), 'policy'), '{{policy}}: without a limit'),
    ),
    graph(
      'Units',
      'Units that proxies asked for, were granted, and gave back because nobody spent them.',
      'cps',
      query(sum(rate(service('requested_units_total')), 'policy'), '{{policy}}: requested'),
      query(sum(rate(service('granted_units_total')), 'policy'), '{{policy}}: granted'),
      query(sum(rate(service('returned_units_total')), 'policy'), '{{policy}}: returned'),
    ),
    graph(
      'Units held',
      'Units that lie in proxies, charged and not yet spent.',
      'short',
      query(sum(service('held_units'), 'instance', 'policy'), '{{instance}}: {{policy}}'),
    ),
    graph(
      'VMs without the service',
      'VMs whose last call failed. Above zero, `onUnavailable` of each quota decides.',
      'none',
      query(sum(service('unavailable_vms'), 'instance', 'policy'), '{{instance}}: {{policy}}'),
    ),
    stack(
      'Decided without the service',
      'Requests that `onUnavailable` decided: denied, let through uncounted, or taken from the local share.',
      sum(rate(series('tollgate_quota_unavailable_total')), 'mode'),
      '{{mode}}',
    ),
    graph(
      'Requests that waited',
      'Requests that waited for the service, and those whose wait ended without an answer.',
      'reqps',
      query(sum(rate(series('tollgate_waits_total')), 'policy'), '{{policy}}: waited'),
      query(sum(rate(series('tollgate_wait_timeouts_total')), 'policy'), '{{policy}}: in vain'),
    ),
  ];
}

function policies(): Panel[] {
  return [
    {
      title: 'Policy in force, by proxy',
      about:
        'One line for each proxy and policy: which module, and which digest of the policy. Two lines of one proxy are an edit being taken over.',
      kind: 'table',
      unit: 'none',
      queries: [query(IN_FORCE, '{{instance}}: {{policy}} {{digest}}')],
      width: 12,
      columns: ['instance', 'policy', 'version', 'digest'],
    },
    {
      ...graph(
        'Rollout',
        'Proxies by the digest that they have in force.',
        'none',
        query(`count by (policy, digest) (${IN_FORCE})`, '{{policy}} {{digest}}'),
      ),
      width: 12,
    },
    {
      ...graph(
        'VMs',
        "VMs that gave a sign of life, by proxy: Envoy's workers and its main thread.",
        'none',
        query(sum(series('tollgate_vms'), 'instance', 'policy'), '{{instance}}: {{policy}}'),
      ),
      width: 12,
    },
    {
      ...graph(
        'VMs lost, by proxy',
        'VMs that died, in five minutes.',
        'none',
        query(
          sum(`increase(${series('tollgate_vms_lost_total')}[5m])`, 'instance', 'policy'),
          '{{instance}}: {{policy}}',
        ),
      ),
      width: 12,
    },
    graph(
      'Time zones past their end',
      'Time zones of calendars that the plugin config no longer knows: days, weeks, months and years go by their last offset. Emit the policy anew.',
      'none',
      query(`max by (policy) (${series('tollgate_zones_ended')})`, '{{policy}}'),
    ),
    graph(
      'Crowded callers',
      'Units that callers without a key, and addresses that a quota counts, took from a counter that they share, because the table has no place for one more of them: a flood from many addresses.',
      'none',
      query(sum(`increase(${series('tollgate_anonymous_crowded_total')}[5m])`, 'policy'), '{{policy}}'),
    ),
    graph(
      'Requests in flight',
      'Of plans with a concurrency: what each proxy has in flight at once. Refusals stand under Refusals, by their reason concurrency_exceeded.',
      'none',
      query(sum(series('tollgate_requests_in_flight'), 'policy'), '{{policy}}'),
    ),
  ];
}

function query(promql: string, legend: string): Query {
  return { promql, legend };
}

function number(title: string, about: string, unit: Panel['unit'], promql: string): Panel {
  return { title, about, kind: 'number', unit, queries: [query(promql, title)], width: 4 };
}

function graph(title: string, about: string, unit: Panel['unit'], ...queries: Query[]): Panel {
  return { title, about, kind: 'graph', unit, queries, width: 8 };
}

function stack(title: string, about: string, promql: string, legend: string): Panel {
  return { title, about, kind: 'stack', unit: 'reqps', queries: [query(promql, legend)], width: 8 };
}
