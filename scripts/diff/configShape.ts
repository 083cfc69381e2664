import { z } from 'zod';
import type { PluginConfig } from '../policy/index.ts';

const items = <T extends z.ZodType>(item: T) => z.array(item);
const texts = z.array(z.string());
const seconds = z.number().optional();

const route = z.looseObject({ name: z.string() });
const api = z.looseObject({
  name: z.string(),
  hosts: texts.optional(),
  paths: texts,
  plans: texts,
  routes: items(route).optional(),
});
const quota = z.looseObject({
  name: z.string(),
  limit: z.number(),
  window: z.string(),
  burst: z.number().optional(),
  localShare: z.number().optional(),
});
const plan = z.looseObject({ name: z.string(), quotas: items(quota).optional() });
const limit = z.looseObject({ quota: z.string(), limit: z.number() });
const subscription = z.looseObject({
  api: z.string(),
  plan: z.string(),
  from: seconds,
  until: seconds,
  limits: items(limit).optional(),
});
const key = z.looseObject({ id: z.string(), digest: z.string(), from: seconds, until: seconds });
const consumer = z.looseObject({
  name: z.string(),
  plan: z.string().optional(),
  subscriptions: items(subscription).optional(),
  keys: items(key).optional(),
});

/** A plugin config as far as differences are told of it; what else it holds is the module's business. */
const shape = z.looseObject({
  version: z.literal(1),
  policy: z.string(),
  keySources: items(z.record(z.string(), z.string())),
  rateLimitService: z
    .looseObject({ cluster: z.string(), domain: z.string(), timeoutMilliseconds: z.number().default(50) })
    .optional(),
  apis: items(api),
  plans: items(plan),
  consumers: items(consumer),
});

/** What a field means when it is left out; written out, it means the same. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  unmatched: 'deny',
  forwardKey: false,
  anonymous: 'deny',
  preflight: 'deny',
  per: 'consumer',
  scope: 'envoy',
  onUnavailable: 'deny',
  paused: false,
  revoked: false,
};
const EMPTY_LISTS: ReadonlySet<string> = new Set([
  'routes',
  'headers',
  'setHeaders',
  'removeHeaders',
  'quotas',
  'subscriptions',
  'limits',
  'keys',
]);

/** The config without what it says by default; null for what is no plugin config. */
export function pluginConfigIn(value: unknown): PluginConfig | null {
  const { success, data } = shape.safeParse(value);
  return success ? (withoutDefaults(data) as PluginConfig) : null;
}

function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([field, member]) => !isDefault(field, member))
      .map(([field, member]) => [field, withoutDefaults(member)]),
  );
}

function isDefault(field: string, value: unknown): boolean {
  return (
    value === undefined ||
    (Object.hasOwn(DEFAULTS, field) && value === DEFAULTS[field]) ||
    (EMPTY_LISTS.has(field) && Array.isArray(value) && value.length === 0)
  );
}
