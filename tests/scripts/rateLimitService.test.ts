import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { load, YAML11_SCHEMA } from 'js-yaml';
import { EmitError } from '../../scripts/istio/error.ts';
import { emitResources } from '../../scripts/istio/index.ts';
import { MAX_CONFIG_MAP_BYTES } from '../../scripts/istio/resource.ts';
import { serviceConfigOf, serviceConfigText } from '../../scripts/rateLimitService/serviceConfig.ts';
import { readPolicy, type Policy } from '../../scripts/policy/index.ts';
import { tollgate } from './fakeIo.ts';
import { matchesGolden } from './golden.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

const IMAGE = `oci://registry.example/tollgate@sha256:${'ab'.repeat(32)}`;
const folder = scratchFolder();
const SHOP = new URL('./rateLimitService/shop.policy.yaml', import.meta.url);

function policyOf(text: string): Policy {
  const { policy, problems } = readPolicy(text, 'p');
  assert.deepEqual(problems, []);
  return policy!;
}

const shop = policyOf(readFileSync(SHOP, 'utf8'));

interface Level {
  key?: string;
  value?: string;
  rate_limit?: { unit: string; requests_per_unit: number };
  descriptors?: Level[];
}

/** Finds a limit as the service does: at each level the entry with the value, else the one without a value, with no backtracking. */
function limitOf(config: Level, entries: [key: string, value: string][]): Level['rate_limit'] {
  const found = entries.reduce<Level | undefined>((level, [key, value]) => {
    const same = (level?.descriptors ?? []).filter((entry) => entry.key === key);
    return same.find((entry) => entry.value === value) ?? same.find((entry) => entry.value === undefined);
  }, config);
  return found?.rate_limit;
}

test("the service's configuration is byte-stable", () => {
  const text = serviceConfigText(serviceConfigOf(shop)!, 'shop');
  matchesGolden(text, new URL('./rateLimitService/shop.yaml', import.meta.url));
});

test('what is only observed is counted under a branch of its own, beside that of what is in force', () => {
  const policy = readPolicy(
    `
policy: shop
rateLimitService: { cluster: ratelimit }
apis:
  pets: { paths: [/pets], plans: [gold], mode: observe }
  orders: { paths: [/orders], plans: [gold, free] }
plans:
  gold: { quotas: { shared: { limit: 5, window: hour, scope: mesh }, firm: { limit: 9, window: day, scope: mesh, mode: enforce } } }
  free: { quotas: { shared: { limit: 3, window: hour, scope: mesh } } }
consumers: { acme: { plan: gold, subscriptions: { orders: { plan: gold, limits: { shared: 7 } }, pets: { plan: gold, limits: { shared: 7 } } } } }
`,
    'p',
  ).policy!;
  const { descriptors } = serviceConfigOf(policy)!;
  const names = descriptors.map(({ key, value, descriptors: quotas }) => [
    key,
    value,
    quotas!.map((quota) => quota.value),
  ]);
  assert.deepEqual(names, [
    ['plan', 'free', ['shared']],
    ['plan', 'gold', ['firm', 'shared']],
    ['observed', 'gold', ['shared']],
  ]);
  const [inForce, observed] = [descriptors[1]!.descriptors![1], descriptors[2]!.descriptors![0]];
  assert.deepEqual(observed, inForce);
});

test('readers of YAML 1.1 see the names of the policy', () => {
  const config = serviceConfigOf(shop)!;
  assert.deepEqual(load(serviceConfigText(config, 'shop'), { schema: YAML11_SCHEMA }), config);
});

test('every caller finds the limit that the policy gives it', () => {
  const config = load(serviceConfigText(serviceConfigOf(shop)!, 'shop')) as Level;
  const units: Record<string, string> = { hour: 'hour', day: 'day', '7d': 'week', '30d': 'month' };
  let asked = 0;
  for (const [plan, { quotas }] of Object.entries(shop.plans)) {
    for (const [quota, { limit, window, per, scope }] of Object.entries(quotas)) {
      for (const api of Object.keys(shop.apis)) {
        for (const consumer of [...Object.keys(shop.consumers), 'somebody']) {
          const subscription = shop.consumers[consumer]?.subscriptions[api];
          const elsewhere = Object.values(shop.consumers[consumer]?.subscriptions ?? {}).find(
            (other) => other.plan === plan && other.limits?.[quota] !== undefined,
          );
          const own =
            per === 'api'
              ? subscription?.plan === plan
                ? subscription.limits?.[quota]
                : undefined
              : elsewhere?.limits?.[quota];
          const entries: [string, string][] = [
            ['plan', plan],
            ['quota', quota],
            ...(per === 'api' ? [['api', api] as [string, string]] : []),
            ['consumer', consumer],
          ];
          const expected = scope === 'mesh' ? { unit: units[window], requests_per_unit: own ?? limit } : undefined;
          assert.deepEqual(limitOf(config, entries), expected, JSON.stringify(entries));
          asked++;
        }
      }
    }
  }
  assert.ok(asked > 30);
  assert.deepEqual(
    limitOf(config, [
      ['plan', 'no'],
      ['quota', 'daily'],
      ['api', 'pets'],
      ['consumer', '1e3'],
    ]),
    { unit: 'day', requests_per_unit: 9 },
  );
});

test('the service gets its own name for the length of a window', () => {
  const unitOf = (window: string): unknown => {
    const text = `policy: p\nrateLimitService: { cluster: c }\nplans: { a: { quotas: { m: { limit: 1, window: ${window}, scope: mesh } } } }\n`;
    return (JSON.stringify(serviceConfigOf(readPolicy(text, 'p').policy!)).match(/"unit":"(.*?)"/) ?? [])[1];
  };
  const units = { '1s': 'second', '60s': 'minute', '60m': 'hour', '24h': 'day', '168h': 'week', '720h': 'month' };
  for (const [window, unit] of Object.entries({ ...units, '365d': 'year', '8760h': 'year' }))
    assert.equal(unitOf(window), unit, window);
});

test("a month is the calendar's where the service counts so", () => {
  const text =
    'policy: p\nrateLimitService: { cluster: c, domain: d, calendarMonths: true }\nplans: { a: { quotas: { m: { limit: 1, window: month, scope: mesh } } } }\n';
  assert.deepEqual(serviceConfigOf(policyOf(text)), {
    domain: 'd',
    descriptors: [
      {
        key: 'plan',
        value: 'a',
        descriptors: [
          {
            key: 'quota',
            value: 'm',
            descriptors: [{ key: 'consumer', rate_limit: { unit: 'month', requests_per_unit: 1 } }],
          },
        ],
      },
    ],
  });
});

test('rate limit service prints the configuration, or why there is none', async () => {
  const { code, out } = await tollgate(['rate-limit-service', '-'], { stdin: readFileSync(SHOP, 'utf8') });
  assert.deepEqual([code, out], [0, readFileSync(new URL('./rateLimitService/shop.yaml', import.meta.url), 'utf8')]);
  const bare = scratchFile(folder, 'policy: shop\nplans: { free: { quotas: { a: { limit: 1, window: hour } } } }\n');
  assert.deepEqual(
    (await tollgate(['rate-limit-service', bare])).err.split('\n').at(-2),
    `${bare}: plans: must hold a quota with "scope: mesh": without one there is nothing to count`,
  );
  assert.equal((await tollgate(['rate-limit-service', bare])).code, 1);
  assert.match(
    (await tollgate(['rate-limit-service', '-'], { stdin: 'policy: shop\n' })).err,
    /^standard input: plans: must hold a quota/m,
  );
  assert.deepEqual(await tollgate(['rate-limit-service']), {
    code: 2,
    out: '',
    err: 'tollgate rate-limit-service: takes one POLICY; found 0; see tollgate rate-limit-service --help\n',
  });
  const bad = scratchFile(folder, 'policy: shop\nunmatched: never\n');
  assert.deepEqual(await tollgate(['rate-limit-service', bad]), {
    code: 1,
    out: '',
    err: `${bad}:2: unmatched: must be "deny" or "allow"; found "never"\n`,
  });
});

test('emit makes a ConfigMap in the namespace of the service', () => {
  const files = emitResources(shop, { image: IMAGE });
  const { name, resource, text } = files[0]!;
  assert.equal(name, '1-configmap.tollgate.tollgate-shop-rate-limit-service.yaml');
  assert.deepEqual(Object.keys(resource.data!), ['shop.yaml']);
  assert.equal(resource.data!['shop.yaml'], serviceConfigText(serviceConfigOf(shop)!, 'shop'));
  assert.deepEqual(load(text, { schema: YAML11_SCHEMA }), resource);
  assert.deepEqual(
    emitResources(shop, { image: IMAGE, only: ['rate-limit-service'] }).map((file) => file.name),
    [name],
  );
  assert.deepEqual(
    emitResources(shop, { image: IMAGE, only: ['sidecars'] }).map((file) => file.name),
    ['3-wasmplugin.shop.tollgate-shop-sidecars.yaml'],
  );
});

test('emit makes no ConfigMap without mesh-wide quotas', async () => {
  const file = scratchFile(folder, readFileSync(SHOP, 'utf8').replace(/, scope: mesh(, onUnavailable: [a-z-]+)?/g, ''));
  assert.deepEqual(
    emitResources(policyOf(readFileSync(file, 'utf8')), { image: IMAGE }).map(({ resource }) => resource.kind),
    ['WasmPlugin'],
  );
  assert.equal(
    (await tollgate(['emit', file, '--image', IMAGE, '-o', '-', '--only', 'rateLimitService'])).err.split('\n').at(-2),
    '--only rateLimitService: the policy has no such target; it has sidecars',
  );
});

test('emit says so where the rate limit service is no service of Kubernetes', async () => {
  const clusters: [cluster: string, isKubernetes: boolean][] = [
    ['ratelimit', false],
    ['outbound|8081||ratelimit.example.com', false],
    ['outbound|8081||ratelimit.tollgate.svc.cluster.local', true],
    ['outbound|8081|v1|ratelimit.limits.svc', true],
  ];
  for (const [cluster, isKubernetes] of clusters) {
    const stdin = readFileSync(SHOP, 'utf8').replace('outbound|8081||ratelimit.tollgate.svc.cluster.local', cluster);
    const { out, err } = await tollgate(['emit', '-', '--image', IMAGE, '-o', '-'], { stdin });
    assert.equal(out.includes('kind: "ConfigMap"'), isKubernetes, cluster);
    assert.equal(
      err.includes(
        `warning: rateLimitService: cluster ${cluster} is not a Kubernetes service, so it gets no ConfigMap; "tollgate rate-limit-service" prints`,
      ),
      !isKubernetes,
      cluster,
    );
  }
});

test('a ConfigMap too large for Kubernetes is refused with the remedy', () => {
  const consumer = shop.consumers['1e3']!;
  const many = {
    ...shop,
    consumers: Object.fromEntries(
      Array.from({ length: 4000 }, (_, index) => [`consumer-${index}`, { ...consumer, keys: [] }]),
    ),
  };
  assert.throws(
    () => emitResources(many, { image: IMAGE }),
    (error) =>
      error instanceof EmitError &&
      new RegExp(
        `^ConfigMap tollgate-shop-rate-limit-service: would hold \\d{7} bytes, and Kubernetes takes ${MAX_CONFIG_MAP_BYTES} at most; make plans`,
      ).test(error.message),
  );
});

test('files of an earlier emit go when the mesh counts nothing any more', async () => {
  const out = join(folder, 'out');
  const text = readFileSync(SHOP, 'utf8');
  const args = (file: string): string[] => ['emit', file, '--image', IMAGE, '-o', out];
  assert.equal((await tollgate(args(fileURLToPath(SHOP)))).code, 0);
  const without = scratchFile(folder, text.replace(/, scope: mesh(, onUnavailable: [a-z-]+)?/g, ''));
  assert.match(
    (await tollgate(args(without))).out,
    /^removed {3}.*configmap\.tollgate\.tollgate-shop-rate-limit-service\.yaml$/m,
  );
});
