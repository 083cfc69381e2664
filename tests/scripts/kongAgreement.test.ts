import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modulePath } from '../../scripts/build/module.ts';
import { Engine } from '../../scripts/explain/engine.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { decisionOf } from '../../scripts/host/openRequest.ts';
import type { Pair } from '../../scripts/host/stream.ts';
import { describeKong } from '../../scripts/kong/describeKong.ts';
import { SHARED_RULE } from '../../scripts/kong/keySource.ts';
import { kongPolicy } from '../../scripts/kong/kongPolicy.ts';
import { compilePolicy, type Policy, validPolicy } from '../../scripts/policy/index.ts';
import { Random } from '../../harness/random.ts';
import { type Decided, KongModel, type ModelDocument, type ModelPlugin, type ModelRequest } from './kongModel.ts';

const module = loadModule(modulePath);
const AT = Date.UTC(2026, 0, 15, 12, 0, 5);
const SEEDS = 120;
const REQUESTS = 40;

const HOSTS = ['a.test', 'x.b.test', 'c.test'];
const PATHS = ['/', '/v1', '/v1/pets', '/v1/pets/7', '/v2', '/v2/', '/v3/x', '/v1/admin/users'];
const METHODS = ['GET', 'POST', 'DELETE', 'PUT'];
const GROUPS = ['gold', 'free', 'blocked'];
const CONSUMERS = ['ann', 'ben', 'cy'];
const NAMES = ['apikey', 'x-shop-key'];

function randomDocument(random: Random): ModelDocument {
  const some = <T>(items: readonly T[]): T[] => {
    const found = items.filter(() => random.chance(0.5));
    return found.length > 0 ? found : [random.pick(items)];
  };
  const maybe = <T>(value: () => T, chance = 0.5): T | undefined => (random.chance(chance) ? value() : undefined);
  const services = ['s1', 's2'].map((name) => ({
    name,
    host: `${name}.internal`,
    ...(random.chance(0.3) && { path: random.pick(['/base', '/base/v9', '/']) }),
  }));
  const routes = Array.from({ length: 1 + random.below(5) }, (_, index) => {
    const [hosts, paths, methods, headers] = [
      maybe(() => some(['a.test', '*.b.test', 'x.b.test'])),
      maybe(() => some(['/', '/v1', '/v1/pets', '/v2', '/v1/admin']), 0.85),
      maybe(() => some(METHODS), 0.3),
      maybe(() => ({ 'x-version': some(['1', '2']) }), 0.15),
    ];
    return {
      name: `r${index}`,
      service: random.pick(['s1', 's2']),
      ...(hosts && { hosts }),
      ...((paths ?? ((hosts ?? methods ?? headers) ? undefined : true)) ? { paths: paths ?? ['/'] } : {}),
      ...(methods && { methods }),
      ...(headers && { headers }),
      strip_path: random.chance(0.4),
    };
  });
  const plugins: ModelPlugin[] = [];
  const bind = (name: string, config: ModelPlugin['config'], more: Partial<ModelPlugin> = {}): void => {
    const place = random.pick([
      {},
      ...services.map((service) => ({ service: service.name })),
      ...routes.map((route) => ({ route: route.name })),
    ]);
    const one: ModelPlugin = { name, config, ...place, ...more, ...(random.chance(0.1) && { enabled: false }) };
    const isTaken = plugins.some(
      (other) =>
        other.name === name &&
        (['service', 'route', 'consumer', 'consumer_group'] as const).every((field) => other[field] === one[field]),
    );
    if (!isTaken) plugins.push(one);
  };
  const times = (most: number, act: () => void): void => {
    for (let left = random.below(most + 1); left > 0; left--) act();
  };
  const hidden = (): ModelPlugin['config'] => {
    const names = random.chance(0.3) ? some(NAMES) : ['apikey'];
    return { key_names: names, key_in_query: false, hide_credentials: true };
  };
  if (random.chance(0.6)) plugins.push({ name: 'key-auth', config: hidden() });
  times(3, () => bind('key-auth', hidden()));
  times(3, () => bind('acl', random.chance(0.7) ? { allow: some(GROUPS) } : { deny: some(GROUPS) }));
  times(3, () => bind('rate-limiting', { minute: 1 + random.below(8), ...(random.chance(0.3) && { hour: 9 }) }));
  times(2, () => bind('rate-limiting', { minute: 1 + random.below(8) }, { consumer: random.pick(CONSUMERS) }));
  times(2, () =>
    bind('rate-limiting', { minute: 1 + random.below(8) }, { consumer_group: random.pick(['basic', 'pro']) }),
  );
  return {
    _format_version: '3.0',
    services,
    routes,
    plugins,
    consumer_groups: [{ name: 'basic' }, { name: 'pro' }],
    consumers: CONSUMERS.map((username) => ({
      username,
      keyauth_credentials: [{ key: `key-of-${username}` }],
      acls: GROUPS.filter(() => random.chance(0.4)).map((group) => ({ group })),
      groups: random.chance(0.4) ? [{ name: random.pick(['basic', 'pro']) }] : [],
    })),
  };
}

function randomRequest(random: Random): ModelRequest {
  const caller = random.below(5);
  const key = caller < CONSUMERS.length ? `key-of-${CONSUMERS[caller]!}` : caller === 3 ? 'wrong-key' : undefined;
  return {
    method: random.pick(METHODS),
    host: random.pick(HOSTS),
    path: random.pick(PATHS),
    headers: {
      ...(key !== undefined && { [random.chance(0.2) ? 'x-shop-key' : 'apikey']: key }),
      ...(random.chance(0.3) && { 'x-version': random.pick(['1', '2', '3']) }),
    },
  };
}

/** What the module makes of a request, in Kong's words. */
function decided(engine: Engine, policy: Policy, { method, host, path, headers }: ModelRequest): Decided {
  const pairs: Pair[] = [
    [':authority', host],
    [':path', path],
    [':method', method],
    [':scheme', 'https'],
    ...Object.entries(headers),
  ];
  const exchange = engine.decide(pairs, AT);
  const { reason, api, route, consumer } = decisionOf(exchange)!;
  if (exchange.upstream === null) {
    const status = Number(exchange.response.first(':status'));
    return { status: (status === 405 ? 404 : status) as 404 };
  }
  assert.ok(reason === 'allowed' || reason === 'anonymous', reason);
  const written = policy.apis[api!]!;
  const name =
    written.routes.find((one) => `${api}/${one.name}` === route || one.name === route)?.upstream ?? written.upstream!;
  return {
    status: 200,
    host: new URL(policy.upstreams[name]!.url!).hostname,
    path: exchange.upstream.first(':path')!,
    consumer: consumer ?? null,
  };
}

function bare(path: string): string {
  return path.replace(/(.)\/$/, '$1');
}

test('what is made of a document decides as a model of Kong does, and where something is lost lets nobody else in', () => {
  let exact = 0;
  let allowed = 0;
  let limited = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new Random(seed);
    const document = randomDocument(random);
    const { described, losses } = describeKong(document, 'kong.yaml', () => undefined);
    const text = kongPolicy('kong', 'schema', 'kong.yaml', described);
    const { policy } = validPolicy(text, 'policy.yaml');
    const engine = new Engine(module, compilePolicy(policy), AT);
    const model = new KongModel(document);
    const isExact = losses.all.length === 0;
    if (isExact) exact++;
    for (let index = 0; index < REQUESTS; index++) {
      const request = randomRequest(random);
      const [kong, ours] = [model.decide(request), decided(engine, policy, request)];
      const story = `seed ${seed}, request ${index}: ${JSON.stringify(request)}: Kong ${JSON.stringify(kong)}, policy ${JSON.stringify(ours)}`;
      // where nothing asks for a key Kong does not look at it: a wrong one is refused here, and a right one tells who calls
      const looksAtKey = kong.status !== 200 || kong.consumer !== null;
      if (ours.status === 200) {
        allowed++;
        if (kong.status === 429) assert.ok(!isExact, story);
        // a key in the place of another route on the same paths
        else if (kong.status === 401 && losses.all.some(({ rule }) => rule === SHARED_RULE)) continue;
        else {
          assert.equal(kong.status, 200, story);
          if (kong.status !== 200) continue;
          assert.deepEqual([ours.host, bare(ours.path)], [kong.host, bare(kong.path)], story);
          if (looksAtKey) assert.equal(ours.consumer, kong.consumer, story);
        }
      } else if (isExact && (looksAtKey || !Object.values(request.headers).includes('wrong-key'))) {
        if (ours.status === 429) limited++;
        assert.equal(ours.status, kong.status, story);
      }
    }
  }
  // the documents are not all of one kind
  assert.ok(
    exact > SEEDS / 8 && allowed > SEEDS && limited > 10,
    `${exact} exact, ${allowed} allowed, ${limited} limited`,
  );
});
