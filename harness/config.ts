import { createHash } from 'node:crypto';

/** A plugin config as `compile` writes it, for tests that start below the policy. */
export interface PluginConfig {
  version: number;
  policy: string;
  keySources: Record<string, string>[];
  apis: Record<string, unknown>[];
  plans: { name: string; quotas: Quota[] }[];
  consumers: Record<string, unknown>[];
  [field: string]: unknown;
}

export interface Quota {
  name: string;
  limit: number;
  window: string;
  burst?: number;
  per?: string;
  counter?: string;
  scope?: string;
  warnAt?: number[];
}

export const KEY = 'acme-secret-key';

/** One API with one route, one plan with the given quotas, and as many consumers as asked for: `KEY-0`, `KEY-1` … after the first. */
export function pluginConfig(
  quotas: Quota[],
  options: { policy?: string; consumers?: number; routes?: object[] } = {},
): PluginConfig {
  const consumers = Array.from({ length: options.consumers ?? 1 }, (_, i) => ({
    name: i === 0 ? 'acme' : `consumer-${i}`,
    plan: 'free',
    keys: [{ id: `key-${i}`, digest: digest(keyOf(i)) }],
  }));
  return {
    version: 1,
    policy: options.policy ?? 'petstore',
    keySources: [{ header: 'x-api-key' }],
    apis: [{ name: 'petstore', paths: ['/v1'], plans: ['free'], routes: options.routes ?? [] }],
    plans: [{ name: 'free', quotas }],
    consumers,
  };
}

export function keyOf(consumer: number): string {
  return consumer === 0 ? KEY : `${KEY}-${consumer}`;
}

export function digest(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
