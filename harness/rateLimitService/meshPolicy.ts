import { digest, type PluginConfig } from '../config.ts';
import type { Entry } from './protocol.ts';
import type { Rule, Window } from './rateLimitServiceModel.ts';

export const CLUSTER = 'rateLimitService';
export const POLICY = 'petstore';

export interface MeshQuota {
  readonly name: string;
  readonly limit: number;
  readonly window: Window;
  readonly onUnavailable?: 'allow' | 'deny' | 'local-share';
  readonly localShare?: number;
  readonly per?: 'api';
  /** Makes it a token bucket with scope envoy. */
  readonly burst?: number;
  /** Default mesh. */
  readonly scope?: 'envoy' | 'mesh';
  readonly mode?: 'observe';
}

export interface MeshOptions {
  readonly domain?: string;
  readonly timeoutMs?: number;
  /** Names of consumers; the key of each is `<name>-secret-key`. */
  readonly consumers?: readonly string[];
  /** An additional route changes the configuration but no counter. */
  readonly routes?: readonly string[];
  readonly cluster?: string;
  /** Default petstore. Another name has its own counters, leases and state of the rate limit service. */
  readonly policy?: string;
}

/** The plugin config of one API and one plan, `gold`, with these quotas. */
export function meshConfig(quotas: readonly MeshQuota[], options: MeshOptions = {}): PluginConfig {
  return {
    version: 1,
    policy: options.policy ?? POLICY,
    rateLimitService: {
      cluster: options.cluster ?? CLUSTER,
      domain: options.domain ?? POLICY,
      timeoutMilliseconds: options.timeoutMs ?? 50,
    },
    keySources: [{ header: 'x-api-key' }],
    apis: [
      {
        name: 'petstore',
        paths: ['/v1'],
        plans: ['gold'],
        routes: (options.routes ?? []).map((name) => ({ name, headers: [{ name: 'x-take', exact: name }] })),
      },
    ],
    plans: [
      {
        name: 'gold',
        quotas: quotas.map(({ scope = 'mesh', ...quota }) => (scope === 'mesh' ? { ...quota, scope } : quota)),
      },
    ],
    consumers: (options.consumers ?? ['acme']).map((name) => ({
      name,
      plan: 'gold',
      keys: [{ id: `${name}-1`, digest: digest(keyOf(name)) }],
    })),
  };
}

export function keyOf(consumer: string): string {
  return `${consumer}-secret-key`;
}

/** The same quotas in the service's configuration, which says nothing of their limits. */
export function rulesOf(quotas: readonly MeshQuota[]): Rule[] {
  return quotas
    .filter(({ scope = 'mesh' }) => scope === 'mesh')
    .map(({ name, window, per, mode }) => ({
      window,
      quota: `${mode === 'observe' ? 'observed:' : ''}${per === undefined ? '' : '*/'}${name}`,
    }));
}

/** The entries of a counter's descriptor. */
export function entriesOf(window: Window, quota: string, consumer = 'acme'): Entry[] {
  return [
    ['window', window],
    ['quota', quota],
    ['consumer', consumer],
  ];
}
