import type { Rule } from '../harness/rateLimitService/rateLimitServiceModel.ts';
import { digestOf } from '../harness/envoy/testPolicy.ts';

export const POLICY = 'petstore';
/** Name of the cluster of the rate limit service. */
const CLUSTER = 'rateLimitService';

export interface AttackedQuota {
  readonly limit: number;
  readonly window: 'second' | 'minute' | 'hour' | 'day';
  /** Default envoy: counted by this Envoy alone. */
  readonly scope?: 'envoy' | 'mesh';
}

export interface AttackedPolicy {
  readonly quota: AttackedQuota;
  /** Consumers `c0`, `c1` …, each with the key `keyOf(i)`; default 1. */
  readonly consumers?: number;
  /** Names of further routes: they change the policy and nothing that is counted. */
  readonly routes?: readonly string[];
  /** How long a request may wait for a lease. */
  readonly timeout?: string;
  /** Consumers that nothing is aimed at: `near` has a quota of this Envoy that is never used up, `wide` one of the mesh. */
  readonly bystanders?: boolean;
}

const NEVER_USED_UP = 1_000_000;
export const NEAR_KEY = 'near-secret-key';
export const WIDE_KEY = 'wide-secret-key';

/** The key of a consumer. */
export function keyOf(consumer: number): string {
  return `consumer-${consumer}-secret-key`;
}

/** A policy of one API under /v1 with one plan and one quota. */
export function attackedPolicy({
  quota,
  consumers = 1,
  routes = [],
  timeout = '50ms',
  bystanders = false,
}: AttackedPolicy): string {
  const { limit, window, scope = 'envoy' } = quota;
  const rateLimitService =
    scope === 'mesh' ? `rateLimitService: { cluster: ${CLUSTER}, domain: ${POLICY}, timeout: ${timeout} }\n` : '';
  const people = Array.from(
    { length: consumers },
    (_, i) => `  c${i}: { plan: gold, keys: [{ id: k${i}, digest: "${digestOf(keyOf(i))}" }] }\n`,
  );
  const takes = routes.map((name) => `      - { name: ${name}, when: { headers: { x-take: ${name} } } }\n`);
  const others = bystanders
    ? {
        plans: `  near: { quotas: { n: { limit: ${NEVER_USED_UP}, window: day } } }\n${scope === 'mesh' ? `  wide: { quotas: { w: { limit: ${NEVER_USED_UP}, window: day, scope: mesh } } }\n` : ''}`,
        consumers: `  near: { plan: near, keys: [{ id: n, digest: "${digestOf(NEAR_KEY)}" }] }\n${scope === 'mesh' ? `  wide: { plan: wide, keys: [{ id: w, digest: "${digestOf(WIDE_KEY)}" }] }\n` : ''}`,
        names: scope === 'mesh' ? ', near, wide' : ', near',
      }
    : { plans: '', consumers: '', names: '' };
  // log fields too: what the host keeps of them must outlive edits and resets
  return `policy: ${POLICY}
accessLog: { fields: all }
${rateLimitService}upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  petstore:
    paths: [/v1]
    plans: [gold${others.names}]
    upstream: v1
${takes.length > 0 ? `    routes:\n${takes.join('')}` : ''}plans:
  gold: { quotas: { q: { limit: ${limit}, window: ${window}${scope === 'mesh' ? ', scope: mesh' : ''} } } }
${others.plans}consumers:
${people.join('')}${others.consumers}`;
}

export interface PlanPolicy {
  /** Of the plans' mesh-wide quota `q`. */
  readonly limits: Readonly<Record<string, number>>;
  readonly window: AttackedQuota['window'];
  /** The plan that all consumers have. */
  readonly plan: string;
  readonly consumers: number;
}

/** A policy of one API under /v1 that offers several plans. */
export function planPolicy({ limits, window, plan, consumers }: PlanPolicy): string {
  const plans = Object.entries(limits).map(
    ([name, limit]) => `  ${name}: { quotas: { q: { limit: ${limit}, window: ${window}, scope: mesh } } }\n`,
  );
  const people = Array.from(
    { length: consumers },
    (_, i) => `  c${i}: { plan: ${plan}, keys: [{ id: k${i}, digest: "${digestOf(keyOf(i))}" }] }\n`,
  );
  return `policy: ${POLICY}
accessLog: { fields: all }
rateLimitService: { cluster: ${CLUSTER}, domain: ${POLICY}, timeout: 50ms }
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis: { petstore: { paths: [/v1], plans: [${Object.keys(limits).join(', ')}], upstream: v1 } }
plans:
${plans.join('')}consumers:
${people.join('')}`;
}

/** What the rate limit service must know of it. */
export function rulesOf({ window }: AttackedQuota): Rule[] {
  return [
    { window, quota: 'q' },
    { window: 'day', quota: 'w' },
  ];
}
