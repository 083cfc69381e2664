import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { load, YAML11_SCHEMA } from 'js-yaml';
import { emitResources } from '../../scripts/istio/index.ts';
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

test('no edit of plans, quotas, modes or consumers changes it', () => {
  const other = policyOf(`
policy: shop
rateLimitService: { cluster: elsewhere }
apis: { pets: { paths: [/pets], plans: [plain], mode: observe } }
plans: { plain: { quotas: { each: { limit: 5, window: second, per: api, scope: mesh } } } }
`);
  assert.deepEqual(serviceConfigOf(other), serviceConfigOf(shop));
});

test('readers of YAML 1.1 see the names of the policy', () => {
  const config = serviceConfigOf(shop)!;
  assert.deepEqual(load(serviceConfigText(config, 'shop'), { schema: YAML11_SCHEMA }), config);
});

test('every counter of every window is counted, in the unit that the service has for it', () => {
  const config = load(serviceConfigText(serviceConfigOf(shop)!, 'shop')) as Level;
  const units: Record<string, string> = {
    second: 'second',
    minute: 'minute',
    hour: 'hour',
    day: 'day',
    '7d': 'week',
    '30d': 'month',
    '365d': 'year',
  };
  for (const [window, unit] of Object.entries(units)) {
    for (const quota of ['hourly', 'pets/daily', 'pets/listPets/reads', 'observed:pets/daily']) {
      for (const consumer of [['consumer', 'acme'], ['consumer', 'no'], null] as const) {
        const entries: [string, string][] = [
          ['window', window],
          ['quota', quota],
          ...(consumer === null ? [] : [[...consumer] as [string, string]]),
        ];
        assert.deepEqual(limitOf(config, entries), { unit, requests_per_unit: 4_294_967_295 }, JSON.stringify(entries));
      }
    }
  }
  for (const window of ['week', 'month', 'year', '15m'])
    assert.equal(
      limitOf(config, [
        ['window', window],
        ['quota', 'q'],
        ['consumer', 'c'],
      ]),
      undefined,
      window,
    );
});

test("a month is the calendar's where the service counts so, and then none has thirty days", () => {
  const { domain, descriptors } = serviceConfigOf(
    policyOf(
      'policy: p\nrateLimitService: { cluster: c, domain: d, calendarMonths: true }\nplans: { a: { quotas: { m: { limit: 1, window: month, scope: mesh } } } }\n',
    ),
  )!;
  assert.equal(domain, 'd');
  assert.deepEqual(
    descriptors.map(({ value }) => value),
    ['second', 'minute', 'hour', 'day', '7d', 'month', '365d'],
  );
  assert.equal(
    limitOf({ descriptors: [...descriptors] as Level[] }, [
      ['window', 'month'],
      ['quota', 'm'],
      ['consumer', 'c'],
    ])?.unit,
    'month',
  );
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

test('emit keeps what modules ask for that count by plan, until it is told to forget them', async () => {
  const out = join(folder, 'by-plan');
  const args = ['emit', fileURLToPath(SHOP), '--image', IMAGE, '-o', out];
  assert.equal((await tollgate(args)).code, 0);
  const file = join(out, '1-configmap.tollgate.tollgate-shop-rate-limit-service.yaml');
  const now = readFileSync(file, 'utf8');
  const earlier = {
    domain: 'shop',
    descriptors: [
      { key: 'plan', value: 'no', descriptors: [{ key: 'quota', value: 'hourly', descriptors: [] }] },
      { key: 'observed', value: 'gold', descriptors: [] },
      { key: 'api', value: 'pets', descriptors: [] },
    ],
  };
  const [header] = now.split('\n');
  const resource = load(now) as { data: Record<string, string> };
  writeFileSync(
    file,
    `${header}\n${JSON.stringify({ ...resource, data: { 'shop.yaml': JSON.stringify(earlier) } })}\n`,
  );
  const configOf = (): { descriptors: Level[] } =>
    load((load(readFileSync(file, 'utf8')) as typeof resource).data['shop.yaml']!) as { descriptors: Level[] };
  for (let again = 0; again < 2; again++) {
    const { code, err } = await tollgate(args);
    assert.equal(code, 0);
    assert.match(err, /the ConfigMap keeps what earlier modules ask for, which count by plan, until --forget/);
    assert.deepEqual(configOf().descriptors, [...serviceConfigOf(shop)!.descriptors, ...earlier.descriptors]);
  }
  const { err } = await tollgate([...args, '--forget']);
  assert.doesNotMatch(err, /count by plan/);
  assert.equal(readFileSync(file, 'utf8'), now);
  // counters of another domain are not those of any module with this policy
  const elsewhere = JSON.stringify({ ...earlier, domain: 'elsewhere' });
  for (const text of [
    elsewhere,
    'null',
    '[]',
    '{"domain":"shop"}',
    'domain: [',
    '',
    '{"domain":"shop","descriptors":[null,1]}',
  ]) {
    writeFileSync(file, `${header}\n${JSON.stringify({ ...resource, data: { 'shop.yaml': text } })}\n`);
    assert.equal((await tollgate(args)).code, 0, text);
    assert.equal(readFileSync(file, 'utf8'), now, text);
  }
});
