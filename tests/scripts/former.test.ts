import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { load } from 'js-yaml';
import { tollgate } from './fakeIo.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

const IMAGE = `oci://registry.example/tollgate@sha256:${'ab'.repeat(32)}`;
const GATEWAY =
  'gateway: { namespace: istio-system, selector: { istio: ingressgateway }, gateways: [istio-system/ingress] }';
const MODERN = 'gatewayApi: { namespace: shop, kind: Gateway, name: gw }';
const folder = scratchFolder();
let folders = 0;

interface Http {
  name: string;
  match?: { headers: Record<string, { exact?: string }> }[];
  route?: { destination: { subset?: string } }[];
}

/** A policy whose routes lead each to a subset, or on the Gateway API to a service, of its own. */
function policy(routes: string[], target = GATEWAY): string {
  const service = (name: string): string =>
    target === GATEWAY
      ? `{ host: pets.shop.svc.cluster.local, port: 80, subset: ${name}, labels: { version: ${name} } }`
      : `{ host: ${name}.shop.svc.cluster.local, port: 80 }`;
  return `policy: shop
targets: [{ ${target} }]
upstreams: { ${['v1', ...routes].map((name) => `${name}: { service: ${service(name)} }`).join(', ')} }
apis:
  pets:
    paths: [/v1]
    anonymous: allow
    upstream: v1
    routes: [${routes.map((name) => `{ name: ${name}, when: { headers: { x-take: ${name} } }, upstream: ${name} }`).join(', ')}]
`;
}

/** Emits into a folder of its own, time after time; resolves to the files as they are then. */
function emitter(...more: string[]): (text: string, ...options: string[]) => Promise<Record<string, string>> {
  const out = join(folder, `out-${++folders}`);
  return async (text, ...options) => {
    const { code, err } = await tollgate([
      'emit',
      scratchFile(folder, text),
      '--image',
      IMAGE,
      '-o',
      out,
      ...more,
      ...options,
    ]);
    assert.equal(code, 0, err);
    return Object.fromEntries(
      readdirSync(out)
        .sort()
        .map((name) => [name, readFileSync(join(out, name), 'utf8')]),
    );
  };
}

function one<T>(files: Record<string, string>, kind: string, field: string): T[] {
  const names = Object.keys(files).filter((name) => name.includes(`-${kind}.`));
  return names.flatMap((name) => (load(files[name]!) as { spec: Record<string, T[]> }).spec[field]!);
}

const routesIn = (files: Record<string, string>): string[] =>
  one<Http>(files, 'virtualservice', 'http').map(
    ({ match, route }) =>
      `${match?.[0]?.headers['x-tollgate-route']?.exact ?? '*'} ${route?.[0]?.destination.subset ?? '-'}`,
  );
const subsetsIn = (files: Record<string, string>): string[] =>
  one<{ name: string }>(files, 'destinationrule', 'subsets').map(({ name }) => name);

test('names of files say what is to be applied first, for both kinds of plugin', async () => {
  for (const kind of ['WasmPlugin', 'TrafficExtension']) {
    const names = Object.keys(await emitter('--kind', kind)(policy(['v2'])));
    assert.deepEqual(
      names.map((name) => name.split('.')[0]),
      ['1-destinationrule', '2-virtualservice', `3-${kind.toLowerCase()}`],
    );
  }
});

test('a table keeps the routes and subsets that the one before had, the latest first, behind its own', async () => {
  const emit = emitter();
  await emit(policy(['v2', 'v3']));
  await emit(policy(['v3', 'v4']));
  const files = await emit(policy(['v5']));
  assert.deepEqual(routesIn(files), ['pets/v5 v5', 'pets/default v1', 'pets/v3 v3', 'pets/v4 v4', 'pets/v2 v2', '* -']);
  assert.deepEqual(subsetsIn(files), ['v1', 'v5', 'v3', 'v4', 'v2']);
});

test('emitting once more changes nothing, and --check says so', async () => {
  for (const target of [GATEWAY, MODERN]) {
    const emit = emitter();
    await emit(policy(['v2', 'v3'], target));
    const files = await emit(policy(['v4'], target));
    assert.deepEqual(await emit(policy(['v4'], target), '--check'), files);
    assert.deepEqual(await emit(policy(['v4'], target)), files);
  }
});

test('a route that comes back is as the policy says, not as it was', async () => {
  const emit = emitter();
  await emit(policy(['v2']));
  await emit(policy([]));
  const files = await emit(policy(['v2']).replace('{ version: v2 }', '{ version: v22 }'));
  assert.deepEqual(routesIn(files), ['pets/v2 v2', 'pets/default v1', '* -']);
  assert.deepEqual(one(files, 'destinationrule', 'subsets'), [
    { name: 'v1', labels: { version: 'v1' } },
    { name: 'v2', labels: { version: 'v22' } },
  ]);
});

test('a DestinationRule stays as long as the table keeps who needs it', async () => {
  const emit = emitter();
  await emit(policy(['v2']));
  const files = await emit(policy(['v2']).replace(/, subset: v\d, labels: \{ version: v\d \}/g, ''));
  assert.deepEqual(subsetsIn(files), ['v1', 'v2']);
});

test('an HTTPRoute keeps the routes that the one before had, in rules of at most eight', async () => {
  const emit = emitter();
  const many = Array.from({ length: 10 }, (_, index) => `r${index}`);
  await emit(policy(many, MODERN));
  const rules = one<{ matches: { headers: { value: string }[] }[]; backendRefs: { name: string }[] }>(
    await emit(policy([], MODERN)),
    'httproute',
    'rules',
  );
  const leads = Object.fromEntries(
    rules.flatMap(({ matches, backendRefs }) =>
      matches.map(({ headers }) => [headers[0]!.value, backendRefs[0]!.name]),
    ),
  );
  assert.deepEqual(leads, { 'pets/default': 'v1', ...Object.fromEntries(many.map((name) => [`pets/${name}`, name])) });
  for (const { matches } of rules) assert.ok(matches.length <= 8);
});

test('--forget drops what was kept, and at most a hundred are kept', async () => {
  const emit = emitter();
  await emit(policy(Array.from({ length: 120 }, (_, index) => `r${index}`)));
  assert.equal(routesIn(await emit(policy(['v2']))).length, 2 + 100 + 1);
  assert.deepEqual(routesIn(await emit(policy(['v2']), '--forget')), ['pets/v2 v2', 'pets/default v1', '* -']);
});

test('a file of our own that somebody broke is written anew, and nothing is taken from those of others', async () => {
  const emit = emitter();
  const files = await emit(policy(['v2']));
  const table = Object.keys(files).find((name) => name.includes('virtualservice'))!;
  const out = join(folder, `out-${folders}`);
  for (const broken of [
    'spec: [',
    'spec: { http: 1 }\n',
    'metadata: { name: tollgate-shop-gateway-ingressgateway, namespace: istio-system }\nkind: VirtualService\nspec: { http: [1, { match: 1 }, { match: [{ headers: { x-tollgate-route: { exact: 1 } } }] }] }\n',
  ]) {
    writeFileSync(join(out, table), `${files[table]!.split('\n')[0]}\n${broken}`);
    assert.deepEqual(await emit(policy(['v2'])), files);
  }
  writeFileSync(
    join(out, 'theirs.yaml'),
    files[table]!.replace('"shop"', '"another"').replaceAll('pets/v2', 'pets/theirs'),
  );
  assert.deepEqual(routesIn({ [table]: (await emit(policy(['v2'])))[table]! }), [
    'pets/v2 v2',
    'pets/default v1',
    '* -',
  ]);
});

test('--stage writes the tables and the plugins into folders of their own', async () => {
  const [tables, plugins] = [emitter('--stage', 'tables'), emitter('--stage', 'plugins')];
  assert.deepEqual(
    Object.keys(await tables(policy(['v2']))).map((name) => name.split('.')[0]),
    ['1-destinationrule', '2-virtualservice'],
  );
  assert.deepEqual(
    Object.keys(await plugins(policy(['v2']))).map((name) => name.split('.')[0]),
    ['3-wasmplugin'],
  );
  assert.deepEqual(routesIn(await tables(policy([]))), ['pets/default v1', 'pets/v2 v2', '* -']);
  const whole = emitter();
  const files = await whole(policy(['v2']));
  for (const stage of ['tables', 'plugins']) assert.deepEqual(await whole(policy(['v2']), '--stage', stage), files);
});
