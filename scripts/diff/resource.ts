import { CORE_SCHEMA, loadAll } from 'js-yaml';
import { z } from 'zod';
import { DiffError } from './error.ts';
import { decode, readBounded } from '../file/read.ts';
import { inputName, type Stdin } from '../file/openPolicy.ts';
import { isSameInAnyOrder, orderedConfig, type PluginConfig } from '../policy/index.ts';

/** A List of every plugin of a mesh; each has at most what etcd takes. */
const MAX_RESOURCE_BYTES = 64 * 1024 * 1024;

/**
 * The plugin config of a resource that `tollgate emit` made, as a file or as `kubectl get -o yaml` prints it: fields sorted,
 * with what the API server added, and beside other resources. Of several policies it is the one that is asked for.
 */
export async function rolledOut(file: string, policy: string, stdin: Stdin): Promise<PluginConfig> {
  const all = documentsOf(await textOf(file, stdin), inputName(file))
    .flatMap(itemsOf)
    .flatMap(configIn);
  const own = all.filter((config) => config.policy === policy);
  const configs = own.length > 0 ? own : all;
  const [config] = configs;
  if (config === undefined)
    throw new DiffError(
      `${inputName(file)}: holds no WasmPlugin or TrafficExtension of Tollgate with a plugin config of version 1`,
    );
  if (configs.some((other) => !isSameInAnyOrder(other, config)))
    throw new DiffError(`${inputName(file)}: holds different plugin configs; name a file with one of them`);
  return config;
}

async function textOf(file: string, stdin: Stdin): Promise<string> {
  const decoded = decode(file === '-' ? await stdin(MAX_RESOURCE_BYTES) : await bytesOf(file));
  if ('rule' in decoded) throw new DiffError(`${inputName(file)}: ${decoded.rule}`);
  return decoded.text;
}

function bytesOf(file: string): Promise<Buffer> {
  return readBounded(file, MAX_RESOURCE_BYTES).catch((error: Error) => {
    throw new DiffError(`${file}: ${error.message}`);
  });
}

function documentsOf(text: string, file: string): unknown[] {
  try {
    return loadAll(text, { schema: CORE_SCHEMA });
  } catch (error) {
    throw new DiffError(`${file}: is not YAML: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** kubectl prints several resources as one List. */
function itemsOf(document: unknown): unknown[] {
  const items = at(document, 'items');
  return Array.isArray(items) ? items : [document];
}

function configIn(resource: unknown): PluginConfig[] {
  const kind = at(resource, 'kind');
  const spec = at(resource, 'spec');
  const value =
    kind === 'WasmPlugin'
      ? at(spec, 'pluginConfig')
      : kind === 'TrafficExtension'
        ? at(at(spec, 'wasm'), 'pluginConfig')
        : undefined;
  const config = pluginConfigIn(value);
  return config === null ? [] : [orderedConfig(config)];
}

function at(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined;
}

const items = <T extends z.ZodType>(item: T) => z.array(item);
const texts = z.array(z.string());
const seconds = z.number().optional();

const route = z.looseObject({ name: z.string() });
const cors = z.looseObject({
  origins: texts,
  methods: texts.optional(),
  headers: texts.optional(),
  exposedHeaders: texts.optional(),
  credentials: z.boolean().optional(),
  maxAgeSeconds: seconds,
});
const settlement = z.looseObject({
  header: z.string().optional(),
  most: z.number().optional(),
  successOnly: z.boolean().optional(),
});
const operation = z.looseObject({
  name: z.string(),
  methods: texts.optional(),
  path: z.string(),
  plans: texts.optional(),
  scopes: texts.optional(),
  cost: z.number().optional(),
  settlement: settlement.optional(),
});
const api = z.looseObject({
  name: z.string(),
  hosts: texts.optional(),
  paths: texts,
  plans: texts,
  cors: cors.optional(),
  operations: items(operation).optional(),
  cost: z.number().optional(),
  settlement: settlement.optional(),
  keySources: items(z.record(z.string(), z.string())).optional(),
  routes: items(route).optional(),
});
const quota = z.looseObject({
  name: z.string(),
  limit: z.number(),
  window: z.string(),
  burst: z.number().optional(),
  localShare: z.number().optional(),
  counter: z.string().optional(),
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
  group: z.string().optional(),
  subscriptions: items(subscription).optional(),
  keys: items(key).optional(),
  scopes: texts.optional(),
});

/** A plugin config as far as differences are made from it; the rest is for the module to check. */
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
  keyRemoval: 'module',
  anonymous: 'deny',
  preflight: 'deny',
  credentials: false,
  unlisted: 'deny',
  cost: 1,
  successOnly: false,
  per: 'consumer',
  scope: 'envoy',
  onUnavailable: 'deny',
  paused: false,
  ownCounters: false,
  revoked: false,
};
const EMPTY_LISTS: ReadonlySet<string> = new Set([
  'routes',
  'headers',
  'exposedHeaders',
  'setHeaders',
  'removeHeaders',
  'quotas',
  'subscriptions',
  'limits',
  'keys',
  'scopes',
]);

/** The config without fields that say the default; null for anything else. */
function pluginConfigIn(value: unknown): PluginConfig | null {
  const { success, data } = shape.safeParse(value);
  return success ? (withoutDefaults(data) as PluginConfig) : null;
}

/** `list`: the field that holds the objects, such as apis. */
function withoutDefaults(value: unknown, list = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutDefaults(item, list));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([field, member]) => !isDefault(field, member, list))
      .map(([field, member]) => [field, withoutDefaults(member, field)]),
  );
}

/** What an operation leaves out is as its API says, and what an API leaves out, of forwardKey, as the policy says. */
function isDefault(field: string, value: unknown, list: string): boolean {
  if ((list === 'operations' && field === 'anonymous') || (list === 'apis' && field === 'forwardKey')) return false;
  return (
    value === undefined ||
    (Object.hasOwn(DEFAULTS, field) && value === DEFAULTS[field]) ||
    (EMPTY_LISTS.has(field) && Array.isArray(value) && value.length === 0)
  );
}
