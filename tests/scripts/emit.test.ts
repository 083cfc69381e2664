import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { load, loadAll, YAML11_SCHEMA } from 'js-yaml';
import type { KubeObject } from '../../scripts/cluster/object.ts';
import { EmitError } from '../../scripts/istio/error.ts';
import { type EmitOptions, emitResources, type Resource } from '../../scripts/istio/index.ts';
import { checkSize, MAX_CLIENT_SIDE_BYTES, storedBytes } from '../../scripts/istio/resource.ts';
import { MARGIN_BYTES, MAX_REQUEST_BYTES, compilePolicy, readPolicy, type Policy } from '../../scripts/policy/index.ts';
import { tollgate } from './fakeIo.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

const DIGEST = 'ab'.repeat(32);
const IMAGE = `oci://registry.example/tollgate@sha256:${DIGEST}`;
const SERVICE = '{ host: pets.shop.svc.cluster.local, port: 8080 }';
const GATEWAY =
  'gateway: { namespace: istio-system, selector: { istio: ingressgateway }, gateways: [istio-system/ingress] }';
const folder = scratchFolder();

interface Parts {
  targets?: string[];
  upstreams?: string;
  more?: string;
  api?: string;
}

function policyText({
  targets = [GATEWAY],
  upstreams = `{ v1: { service: ${SERVICE} } }`,
  more = '',
  api = '',
}: Parts = {}): string {
  return `policy: shop
targets:
${targets.map((target) => `  - ${target}\n`).join('')}upstreams: ${upstreams}
${more}
apis:
  pets: { hosts: [api.example.com], paths: [/v1], plans: [free], upstream: v1, ${api} }
plans: { free: { quotas: { monthly: { limit: 9007199254740992, window: month, scope: envoy } } } }
consumers:
  "no": { plan: free, keys: [{ id: "1e3", digest: "sha256:${DIGEST}" }, { id: "0x10", digest: "sha256:${'cd'.repeat(32)}" }] }
`;
}

function policyOf(parts: Parts = {}): Policy {
  const { policy, problems } = readPolicy(policyText(parts), 'shop.policy.yaml');
  assert.deepEqual(problems, []);
  return policy!;
}

function resources(parts: Parts, options: Partial<EmitOptions> = {}): Resource[] {
  return emitResources(policyOf(parts), { image: IMAGE, ...options }).map(({ resource }) => resource);
}

function only(kind: string, all: readonly Resource[]): Resource['spec'] & Record<string, unknown> {
  const found = all.filter((resource) => resource.kind === kind);
  assert.equal(found.length, 1, `one ${kind}`);
  return found[0]!.spec as Record<string, unknown>;
}

test('a plugin resource leaves nothing to a default', () => {
  const plugin = resources({}).find(({ kind }) => kind === 'WasmPlugin');
  assert.deepEqual(plugin, {
    apiVersion: 'extensions.istio.io/v1alpha1',
    kind: 'WasmPlugin',
    metadata: {
      name: 'tollgate-shop-gateway-ingressgateway',
      namespace: 'istio-system',
      labels: {
        'app.kubernetes.io/managed-by': 'tollgate',
        'app.kubernetes.io/name': 'tollgate',
        'app.kubernetes.io/instance': 'shop',
      },
      annotations: { 'argocd.argoproj.io/sync-wave': '1' },
    },
    spec: {
      selector: { matchLabels: { istio: 'ingressgateway' } },
      phase: 'AUTHN',
      priority: 10,
      match: [{ mode: 'CLIENT' }],
      url: IMAGE,
      sha256: DIGEST,
      imagePullPolicy: 'IfNotPresent',
      pluginName: 'tollgate-shop',
      failStrategy: 'FAIL_RELOAD',
      pluginConfig: compilePolicy(policyOf()),
    },
  });
});

test('a TrafficExtension holds the module below wasm', () => {
  const spec = only(
    'TrafficExtension',
    resources({}, { kind: 'TrafficExtension', failStrategy: 'FAIL_OPEN', pullSecret: 'registry', priority: 0 }),
  );
  assert.deepEqual(Object.keys(spec), ['selector', 'phase', 'priority', 'match', 'wasm']);
  const { pluginConfig, ...wasm } = spec['wasm'] as Record<string, unknown>;
  assert.deepEqual(wasm, {
    url: IMAGE,
    sha256: DIGEST,
    imagePullPolicy: 'IfNotPresent',
    imagePullSecret: 'registry',
    pluginName: 'tollgate-shop',
    failStrategy: 'FAIL_OPEN',
  });
  assert.deepEqual(pluginConfig, compilePolicy(policyOf()));
  assert.equal(spec['priority'], 0);
});

const places: [string, string, object][] = [
  ['every sidecar of a namespace', 'namespace: shop', { match: [{ mode: 'SERVER' }] }],
  [
    'the workloads with a label',
    'workload: { namespace: shop, selector: { app: pets }, ports: [8080] }',
    { selector: { matchLabels: { app: 'pets' } }, match: [{ mode: 'SERVER', ports: [{ number: 8080 }] }] },
  ],
  [
    'clients',
    'workload: { namespace: shop, selector: { app: pets }, mode: CLIENT }',
    { selector: { matchLabels: { app: 'pets' } }, match: [{ mode: 'CLIENT' }] },
  ],
  [
    'a gateway of the Gateway API',
    'gatewayApi: { namespace: shop, kind: Gateway, name: gw }',
    { targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'gw' }], match: [{ mode: 'CLIENT' }] },
  ],
  [
    'a service behind a waypoint',
    'gatewayApi: { namespace: shop, kind: Service, name: pets }',
    { targetRefs: [{ group: '', kind: 'Service', name: 'pets' }], match: [{ mode: 'CLIENT_AND_SERVER' }] },
  ],
  [
    'a waypoint',
    'gatewayApi: { namespace: shop, kind: Waypoint, name: wp, services: [pets] }',
    {
      targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'wp' }],
      match: [{ mode: 'CLIENT_AND_SERVER' }],
    },
  ],
];
for (const [what, target, expected] of places) {
  test(`a plugin is for ${what}`, () => {
    const { selector, targetRefs, match } = only('WasmPlugin', resources({ targets: [target] }));
    assert.deepEqual(JSON.parse(JSON.stringify({ selector, targetRefs, match })), expected);
  });
}

test('names do not depend on the order of the targets, and differ where labels do', () => {
  const targets = [
    'namespace: shop',
    GATEWAY,
    'workload: { namespace: shop, selector: { app: Pets_1 } }',
    'workload: { namespace: shop, selector: { app: pets-1 } }',
    'workload: { namespace: shop, selector: { name: pets-1 } }',
  ];
  const names = (list: string[]): string[] =>
    resources({ targets: list, upstreams: '{ v1: { url: "http://127.0.0.1:1" } }' })
      .map(({ metadata }) => metadata.name)
      .sort();
  assert.deepEqual(names(targets), names([...targets].reverse()));
  assert.equal(new Set(names(targets)).size, targets.length);
  for (const name of names(targets)) assert.match(name, /^tollgate-shop-[a-z0-9-]*[a-z0-9]$/);
});

test('the routing table says weights, subsets, timeouts and retries', () => {
  const upstreams = `{
    v1: { service: { host: pets.shop.svc.cluster.local, port: 8080, subset: v1, labels: { version: v1 } }, timeout: 5s, retries: { attempts: 2, perTryTimeout: 1s, retryOn: "5xx" } },
    v2: { services: [{ host: pets.shop.svc.cluster.local, port: 8080, subset: v2, weight: 90 }, { host: pets.example.com, port: 80, weight: 10 }] } }`;
  const all = resources({ upstreams, api: 'routes: [{ name: v2, when: { headers: { x-v: "2" } }, upstream: v2 }]' });
  assert.deepEqual(only('VirtualService', all), {
    hosts: ['api.example.com'],
    gateways: ['istio-system/ingress'],
    http: [
      {
        name: 'pets/v2',
        match: [{ headers: { 'x-tollgate-route': { exact: 'pets/v2' } } }],
        route: [
          { destination: { host: 'pets.example.com', port: { number: 80 } }, weight: 10 },
          { destination: { host: 'pets.shop.svc.cluster.local', port: { number: 8080 }, subset: 'v2' }, weight: 90 },
        ],
      },
      {
        name: 'pets/default',
        match: [{ headers: { 'x-tollgate-route': { exact: 'pets/default' } } }],
        route: [{ destination: { host: 'pets.shop.svc.cluster.local', port: { number: 8080 }, subset: 'v1' } }],
        timeout: '5s',
        retries: { attempts: 2, perTryTimeout: '1s', retryOn: '5xx' },
      },
      {
        name: 'pets/unknown',
        match: [{ headers: { 'x-tollgate-route': { prefix: 'pets/' } } }],
        directResponse: { status: 404, body: { string: 'no route of the policy leads here\n' } },
      },
    ],
  });
  const rule = all.find(({ kind }) => kind === 'DestinationRule')!;
  assert.equal(
    rule.metadata.namespace,
    'shop',
    "in the service's namespace, where Istio merges it with a rule of the user's",
  );
  assert.deepEqual(rule.spec, {
    host: 'pets.shop.svc.cluster.local',
    subsets: [{ name: 'v1', labels: { version: 'v1' } }],
  });
});

test('what no API matches has a route exactly where the policy lets it pass, or where others need one', () => {
  const last = (parts: Parts): string =>
    (only('VirtualService', resources(parts))['http'] as { name: string }[]).at(-1)!.name;
  assert.equal(last({}), 'pets/unknown');
  assert.equal(last({ more: 'unmatched: allow' }), 'unmatched');
  assert.equal(
    last({ targets: ['workload: { namespace: shop, selector: { app: pets }, mode: CLIENT }'] }),
    'unmatched',
  );
});

test('hosts that cover one another stand in VirtualServices of their own, as Istio asks', () => {
  const more =
    'apis:\n  any: { paths: [/any], plans: [free], upstream: v1 }\n  wild: { hosts: ["*.example.com", b.example.org], paths: [/wild], plans: [free], upstream: v1 }\n';
  const text = policyText().replace('apis:\n', more);
  const services = emitResources(readPolicy(text, 'shop').policy!, { image: IMAGE }).filter(
    ({ resource }) => resource.kind === 'VirtualService',
  );
  assert.deepEqual(
    services.map(({ resource: { metadata, spec } }) => [metadata.name, (spec as { hosts: string[] }).hosts]),
    [
      ['tollgate-shop-gateway-ingressgateway', ['*']],
      ['tollgate-shop-gateway-ingressgateway-2', ['api.example.com', 'b.example.org']],
      ['tollgate-shop-gateway-ingressgateway-3', ['*.example.com']],
    ],
  );
  assert.equal(
    new Set(services.map(({ resource }) => JSON.stringify((resource.spec as { http: object }).http))).size,
    1,
    'each with the whole table',
  );
});

test("a server's sidecar reads no routing table, and none is made for upstreams without services", () => {
  assert.deepEqual(
    resources({ targets: ['namespace: shop'] }).map(({ kind }) => kind),
    ['WasmPlugin'],
  );
  assert.deepEqual(
    resources({ upstreams: '{ v1: { url: "http://127.0.0.1:1" } }' }).map(({ kind }) => kind),
    ['WasmPlugin'],
  );
});

test('HTTPRoutes stay within the limits of the Gateway API', () => {
  const names = Array.from({ length: 300 }, (_, index) => `r${index}`);
  const upstreams = `{ v1: { service: ${SERVICE} }, ${names.map((name) => `${name}: { service: ${SERVICE} }`).join(', ')} }`;
  const api = `routes: [${names.map((name) => `{ name: ${name}, when: { headers: { x-v: ${name} } }, upstream: ${Number(name.slice(1)) % 2 ? name : 'v1'} }`).join(', ')}]`;
  const all = resources({ targets: ['gatewayApi: { namespace: shop, kind: Gateway, name: gw }'], upstreams, api });
  const routes = all
    .filter(({ kind }) => kind === 'HTTPRoute')
    .map(({ spec }) => spec as { rules: { matches: { headers: { value: string }[] }[] }[] });
  assert.ok(routes.every(({ rules }) => rules.length <= 16 && rules.every(({ matches }) => matches.length <= 8)));
  const values = routes.flatMap(({ rules }) =>
    rules.flatMap(({ matches }) => matches.map(({ headers }) => headers[0]!.value)),
  );
  assert.deepEqual(values.sort(), [...names.map((name) => `pets/${name}`), 'pets/default'].sort());
  assert.equal(
    new Set(all.map(({ metadata }) => metadata.name)).size,
    all.length - 1,
    'only the plugin and the first route share a name',
  );
});

test('an HTTPRoute says timeouts and retries in its own words', () => {
  const targets = ['gatewayApi: { namespace: shop, kind: Service, name: pets }'];
  const spec = only(
    'HTTPRoute',
    resources({
      targets,
      upstreams: `{ v1: { service: ${SERVICE}, timeout: 5s, retries: { attempts: 2, perTryTimeout: 1s, retryOn: "gateway-error,503,429" } } }`,
    }),
  );
  assert.deepEqual(spec['parentRefs'], [{ group: '', kind: 'Service', name: 'pets' }]);
  const to = {
    backendRefs: [{ group: '', kind: 'Service', name: 'pets', port: 8080 }],
    timeouts: { request: '5s', backendRequest: '1s' },
    retry: { attempts: 2, codes: [502, 503, 504, 429] },
  };
  assert.deepEqual(spec['rules'], [
    { matches: [{ headers: [{ type: 'Exact', name: 'x-tollgate-route', value: 'pets/default' }] }], ...to },
    { matches: [{ path: { type: 'PathPrefix', value: '/' } }], ...to },
  ]);
});

test('routing tables give upstreams the host that the policy says, with and without another path', () => {
  const routes = (target: string, kind: string, upstream: string): unknown[] => {
    const api = 'routes: [{ name: v2, when: { headers: { x-v: "2" } }, rewritePrefix: /v2 }]';
    const spec = only(kind, resources({ targets: [target], upstreams: `{ v1: ${upstream} }`, api }));
    return ((spec['http'] ?? spec['rules']) as object[]).flatMap((rule) =>
      'rewrite' in rule ? [rule.rewrite] : 'filters' in rule ? [rule.filters] : [],
    );
  };
  const classic = 'gateway: { namespace: istio-system, selector: { istio: ingressgateway }, gateways: [ingress] }';
  const modern = 'gatewayApi: { namespace: shop, kind: Gateway, name: gw }';
  const filters = (hostname: string): object[] => [{ type: 'URLRewrite', urlRewrite: { hostname } }];
  const own = `{ service: ${SERVICE}, hostRewrite: true }`;
  const other = `{ service: ${SERVICE}, hostRewrite: pets.example.com }`;
  const authority = 'pets.shop.svc.cluster.local';
  assert.deepEqual(routes(classic, 'VirtualService', own), [{ authority }, { authority }]);
  assert.deepEqual(routes(classic, 'VirtualService', other), Array(2).fill({ authority: 'pets.example.com' }));
  assert.deepEqual(routes(modern, 'HTTPRoute', own), [filters(authority)]);
  assert.deepEqual(routes(modern, 'HTTPRoute', other), [filters('pets.example.com')]);
  assert.deepEqual(routes(modern, 'HTTPRoute', `{ service: ${SERVICE} }`), []);
});

test('readers of YAML 1.1 see the same values', () => {
  const nasty = [
    'y',
    'n',
    'no',
    'off',
    '~',
    '1_000',
    '0o7',
    '012',
    '12:30',
    '1e3',
    '.5',
    '=',
    '<<',
    '2026-01-01',
    'ü\u0085 \u2028',
    '🗝',
    '- a',
    '# b',
    'x: y',
    '"',
    '\\',
  ];
  const api = `routes: [{ name: a, when: { methods: [GET] }, setHeaders: { "012": x, ${nasty.map((value, index) => `x-${index}: ${JSON.stringify(value.replace(/\u0085/, ''))}`).join(', ')} } }]`;
  for (const { text, resource } of emitResources(policyOf({ api }), { image: IMAGE })) {
    assert.deepEqual(load(text, { schema: YAML11_SCHEMA }), resource);
    const python = readByPython(text);
    if (python !== null) assert.deepEqual(python, JSON.parse(JSON.stringify(resource)));
  }
});

/** As PyYAML reads it, the best known reader of YAML 1.1; null where it is not installed. */
function readByPython(text: string): unknown {
  try {
    return JSON.parse(
      execFileSync(
        'python3',
        ['-c', 'import sys, json, yaml; json.dump(yaml.safe_load(sys.stdin.buffer), sys.stdout)'],
        { input: text, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] },
      ),
    );
  } catch {
    return null;
  }
}

test('an image needs oci:// and a digest, and the error says why', () => {
  const refused = (image: string): string => {
    try {
      resources({}, { image });
    } catch (error) {
      assert.ok(error instanceof EmitError);
      return error.message;
    }
    return '';
  };
  assert.match(
    refused('oci://registry.example/tollgate:1.0'),
    /must name a digest .* a tag can be moved .*; found "oci:\/\/registry.example\/tollgate:1.0"/,
  );
  assert.equal(
    refused(`registry.example/tollgate@sha256:${DIGEST}`),
    `image must begin with oci://; found "registry.example/tollgate@sha256:${DIGEST}"`,
  );
  for (const image of [
    `oci://registry.example/tollgate@sha256:${DIGEST}0`,
    `oci://registry.example/tollgate@sha512:${DIGEST}`,
    `oci://registry.example@sha256:${DIGEST}`,
    `oci://a b/c@sha256:${DIGEST}`,
  ]) {
    assert.match(refused(image), /^image must be oci:\/\/HOST\/REPOSITORY@sha256:/, image);
  }
  for (const image of [`oci://registry.example:5000/a/b-c:v1@sha256:${DIGEST}`, IMAGE])
    assert.equal(refused(image), '');
});

test('a resource too large for etcd is refused with its size and the remedy', () => {
  const plugin = resources({}).find(({ kind }) => kind === 'WasmPlugin');
  const bytes = Buffer.byteLength(JSON.stringify(plugin));
  assert.equal(storedBytes(plugin!), bytes);
  checkSize(plugin!, bytes);
  assert.throws(() => checkSize(plugin!, bytes - 1), {
    message: new RegExp(
      `^WasmPlugin tollgate-shop-gateway-ingressgateway: would have ${bytes} bytes, and etcd takes ${bytes - 1} at most .*; move some APIs`,
    ),
  });
  const policy = policyOf();
  const big = {
    ...policy,
    consumers: {
      a: {
        ...policy.consumers['no']!,
        keys: Array.from({ length: 17_000 }, (_, index) => ({
          id: `k${index}`,
          digest: `sha256:${index.toString(16).padStart(64, '0')}`,
          revoked: false,
        })),
      },
    },
  };
  assert.throws(() => emitResources(big, { image: IMAGE }), {
    message: new RegExp(`would have 1\\d{6} bytes, and etcd takes ${MAX_REQUEST_BYTES - MARGIN_BYTES} at most`),
  });
});

test('an object is as large as Go writes it, and client-side apply takes one of 262,078 bytes', () => {
  // kubectl 1.34 and an API server refuse the annotation from 262,079 on
  assert.equal(MAX_CLIENT_SIDE_BYTES, 262_078);
  const plain = resources({})[0]!;
  const spec = (text: string): Resource => ({ ...plain, spec: { text } });
  assert.equal(storedBytes(spec('<&>\u2028\u00fc')) - storedBytes(spec('')), 4 * 6 + 2);
});

test('emit reports the sizes of its files', async () => {
  const out = join(folder, 'sizes');
  const { out: printed } = await tollgate(['emit', scratchFile(folder, policyText()), '--image', IMAGE, '-o', out]);
  const told = [...printed.matchAll(/^new +(.*) \((\d+) bytes\)$/gm)];
  assert.ok(told.length > 1);
  for (const [, file, bytes] of told) assert.equal(readFileSync(file!).length, Number(bytes));
});

test('emit writes, reports what changed, and removes only its own stale files', async () => {
  const out = join(folder, 'out');
  const file = scratchFile(folder, policyText({ targets: [GATEWAY, 'namespace: shop'] }));
  const args = ['emit', file, '--image', IMAGE, '-o', out];
  assert.equal((await tollgate([...args, '--check'])).code, 1);
  const first = await tollgate(args);
  assert.deepEqual([first.code, first.err], [0, '']);
  assert.deepEqual(first.out.replace(/ \(\d+ bytes\)/g, '').split('\n'), [
    `new       ${out}/2-virtualservice.istio-system.tollgate-shop-gateway-ingressgateway.yaml`,
    `new       ${out}/3-wasmplugin.istio-system.tollgate-shop-gateway-ingressgateway.yaml`,
    `new       ${out}/3-wasmplugin.shop.tollgate-shop-sidecars.yaml`,
    '',
  ]);
  assert.equal((await tollgate([...args, '--check'])).code, 0);
  const other = readFileSync(join(out, '3-wasmplugin.shop.tollgate-shop-sidecars.yaml'), 'utf8');
  writeFileSync(join(out, 'other.yaml'), other.replace('"shop"', '"another"'));
  writeFileSync(join(out, 'kustomization.yaml'), 'resources: []\n');
  writeFileSync(file, policyText());
  const check = await tollgate([...args, '--check']);
  assert.match(check.out, /^stale {5}.*sidecars.yaml$/m);
  assert.match((await tollgate(args)).out, /^removed {3}.*sidecars.yaml$/m);
  assert.deepEqual(readdirSync(out).sort(), [
    '2-virtualservice.istio-system.tollgate-shop-gateway-ingressgateway.yaml',
    '3-wasmplugin.istio-system.tollgate-shop-gateway-ingressgateway.yaml',
    'kustomization.yaml',
    'other.yaml',
  ]);
});

test('emit refuses to replace a file that it did not write', async () => {
  const out = join(folder, 'mine');
  mkdirSync(out);
  writeFileSync(join(out, '3-wasmplugin.shop.tollgate-shop-sidecars.yaml'), 'mine: true\n');
  const { code, err } = await tollgate([
    'emit',
    scratchFile(folder, policyText({ targets: ['namespace: shop'] })),
    '--image',
    IMAGE,
    '-o',
    out,
  ]);
  assert.deepEqual(
    [code, err],
    [1, `${out}/3-wasmplugin.shop.tollgate-shop-sidecars.yaml: exists and was not made by "tollgate emit"; move it\n`],
  );
  assert.equal(readFileSync(join(out, '3-wasmplugin.shop.tollgate-shop-sidecars.yaml'), 'utf8'), 'mine: true\n');
});

test("emit --only leaves the other targets' files as they are", async () => {
  const out = join(folder, 'only');
  const args = ['emit', scratchFile(folder, policyText({ targets: [GATEWAY, 'namespace: shop'] })), '-o', out];
  await tollgate([...args, '--image', IMAGE]);
  const next = IMAGE.replaceAll('ab', 'ef');
  const { out: printed } = await tollgate([...args, '--image', next, '--only', 'sidecars']);
  assert.match(printed, /^changed .*sidecars.yaml \(\d+ bytes\)\n$/);
  assert.ok(
    readFileSync(join(out, '3-wasmplugin.istio-system.tollgate-shop-gateway-ingressgateway.yaml'), 'utf8').includes(
      IMAGE,
    ),
  );
  assert.match(
    (await tollgate([...args, '--image', next, '--only', 'x'])).err,
    /^--only x: the policy has no such target; it has gateway-ingressgateway, sidecars\n$/,
  );
});

test('emit --only tells targets in several namespaces apart', async () => {
  const targets = [GATEWAY, 'namespace: shop', 'namespace: stock'];
  const args = ['emit', scratchFile(folder, policyText({ targets })), '--image', IMAGE, '-o', '-', '--only'];
  const namespaces = async (name: string): Promise<string[]> =>
    (loadAll((await tollgate([...args, name])).out) as KubeObject[])
      .filter(({ kind }) => kind === 'WasmPlugin')
      .map(({ metadata }) => metadata.namespace!);
  assert.deepEqual(await namespaces('stock/sidecars'), ['stock']);
  assert.deepEqual(await namespaces('sidecars'), ['shop', 'stock']);
  assert.deepEqual(await namespaces('istio-system/gateway-ingressgateway'), ['istio-system']);
  assert.match(
    (await tollgate([...args, 'shop/x'])).err,
    /^--only shop\/x: the policy has no such target; it has gateway-ingressgateway, shop\/sidecars, stock\/sidecars\n$/,
  );
});

test('emit warns once of a long quota that each Envoy counts, and --json has it too', async () => {
  const stdin = policyText().replace('window: month, scope: envoy', 'window: month');
  const out = join(folder, 'long-quota');
  const { err, out: json } = await tollgate(['emit', '-', '--image', IMAGE, '-o', out, '--json'], { stdin });
  const warning = /plans\.free\.quotas\.monthly\.window: is counted by each Envoy for itself: .* "scope: mesh"/;
  assert.equal(err.split('\n').filter((line) => warning.test(line)).length, 1, err);
  const { warnings } = JSON.parse(json) as { warnings: string[] };
  assert.equal(warnings.filter((text) => warning.test(text)).length, 1, json);
});

test('emit warns of what the resources do not show', async () => {
  const warnings = async (parts: Parts, ...options: string[]): Promise<string> =>
    (await tollgate(['emit', '-', '--image', IMAGE, '-o', '-', ...options], { stdin: policyText(parts) })).err;
  assert.equal(await warnings({}), '');
  assert.match(
    await warnings({}, '--fail-strategy', 'FAIL_OPEN'),
    /^tollgate: warning: FAIL_OPEN: where the image cannot be pulled .* requests pass unchecked/,
  );
  assert.match(
    await warnings({ targets: ['namespace: istio-system'] }),
    /the policy is enforced on every sidecar of the whole mesh/,
  );
  const served = (selector: string, ...more: string[]): Promise<string> =>
    warnings({ targets: [`workload: { namespace: istio-system, selector: ${selector} }`, ...more] });
  const gateway =
    /^tollgate: warning: target workload \{ .* \}: looks like a gateway, where Istio applies no plugin with mode SERVER, so nothing would be checked there; make it a target "gateway"\n$/;
  for (const selector of [
    '{ istio: ingressgateway }',
    '{ app: istio-ingress }',
    '{ gateway.networking.k8s.io/gateway-name: web }',
  ])
    assert.match(await served(selector), gateway, selector);
  assert.match(
    await served(
      '{ edge: "yes" }',
      'gateway: { namespace: istio-system, selector: { edge: "yes", tier: front }, gateways: [istio-system/ingress] }',
    ),
    gateway,
  );
  assert.equal(
    await served('{ app: pets }', 'gateway: { namespace: other, selector: { app: pets }, gateways: [other/ingress] }'),
    '',
  );
  assert.equal(
    await warnings({
      targets: ['workload: { namespace: istio-system, selector: { istio: ingressgateway }, mode: CLIENT }'],
    }),
    '',
  );
  assert.match(
    await warnings({ targets: ['gatewayApi: { namespace: edge, kind: Gateway, name: gw }'] }),
    /namespace shop: must hold a ReferenceGrant for HTTPRoutes of namespace edge/,
  );
  const api = 'routes: [{ name: v2, when: { methods: [GET] }, upstream: v2 }]';
  assert.match(
    await warnings({ api, upstreams: '{ v1: { url: "http://127.0.0.1:1" }, v2: { url: "http://127.0.0.1:2" } }' }),
    /no routing table/,
  );
  const keys = Array.from(
    { length: 3000 },
    (_, index) => `{ id: k${index}, digest: "sha256:${index.toString(16).padStart(64, '0')}" }`,
  );
  const stdin = policyText().replace(/keys: \[.*\]/, `keys: [${keys.join(', ')}]`);
  assert.match(
    (await tollgate(['emit', '-', '--image', IMAGE, '-o', '-'], { stdin })).err,
    new RegExp(`\\d{6} bytes; apply it with "kubectl apply --server-side", .* at most ${MAX_CLIENT_SIDE_BYTES} bytes`),
  );
});

test('emit distinguishes wrong usage from an invalid policy', async () => {
  const file = scratchFile(folder, policyText());
  const codes = async (...args: string[]): Promise<[number, string]> => {
    const { code, err } = await tollgate(['emit', ...args]);
    return [code, err.split('\n')[0]!];
  };
  assert.deepEqual(await codes(file, '-o', folder), [2, 'tollgate emit: needs --image; see tollgate emit --help']);
  assert.deepEqual(await codes(file, '--image', IMAGE), [2, 'tollgate emit: needs -o DIR; see tollgate emit --help']);
  assert.deepEqual(await codes(file, '--image', IMAGE, '-o', folder, '--kind', 'EnvoyFilter'), [
    2,
    'tollgate emit: --kind is WasmPlugin or TrafficExtension; found "EnvoyFilter"; see tollgate emit --help',
  ]);
  assert.deepEqual(await codes(file, '--image', IMAGE, '-o', folder, '--routes', 'HTTPRoute'), [
    1,
    '--routes HTTPRoute: the target gateway-ingressgateway reads a VirtualService; leave the option out to emit what each target reads',
  ]);
  const bare = scratchFile(folder, 'policy: shop\napis: { pets: { paths: [/], anonymous: allow } }\n');
  assert.deepEqual(await codes(bare, '--image', IMAGE, '-o', folder), [
    1,
    `${bare}: targets: must hold a target: where on Istio is the policy to be enforced`,
  ]);
});

const TOKENS = `tokens:
  corp: { issuer: "https://idp.example.com", jwks: "https://idp.example.com/keys.json", audiences: [shop] }
  partner: { issuer: "https://partner.example", jwks: { keys: [{ kty: RSA, n: a, e: AQAB }] }, forward: true }`;
const TOKEN_API = 'credentials: [token, key]';

test('where an API takes tokens, Istio verifies them before the plugin', () => {
  const all = emitResources(policyOf({ more: TOKENS, api: TOKEN_API }), { image: IMAGE });
  const { kind, apiVersion, spec } = all[0]!.resource;
  assert.deepEqual([kind, apiVersion, all[0]!.stage], ['RequestAuthentication', 'security.istio.io/v1', 'tables']);
  const place = { fromHeaders: [{ name: 'Authorization', prefix: 'Bearer ' }], forwardOriginalToken: true };
  assert.deepEqual(spec, {
    selector: { matchLabels: { istio: 'ingressgateway' } },
    jwtRules: [
      {
        issuer: 'https://idp.example.com',
        audiences: ['shop'],
        jwksUri: 'https://idp.example.com/keys.json',
        ...place,
      },
      { issuer: 'https://partner.example', jwks: '{"keys":[{"e":"AQAB","kty":"RSA","n":"a"}]}', ...place },
    ],
  });
  assert.equal(
    only(
      'WasmPlugin',
      all.map(({ resource }) => resource),
    )['phase'],
    'AUTHZ',
  );
  assert.ok(
    !JSON.stringify(
      only(
        'WasmPlugin',
        all.map(({ resource }) => resource),
      ),
    ).includes('keys.json'),
  );
});

test('nothing is verified where no API takes tokens, nor for what a workload sends', () => {
  const unused = resources({ more: TOKENS });
  assert.deepEqual(
    unused.filter(({ kind }) => kind === 'RequestAuthentication'),
    [],
  );
  assert.equal(only('WasmPlugin', unused)['phase'], 'AUTHN');
  const targets = [
    'workload: { namespace: shop, selector: { app: pets }, mode: CLIENT }',
    'namespace: shop',
    'gatewayApi: { namespace: shop, kind: Service, name: pets }',
  ];
  const specs = resources({ more: TOKENS, api: TOKEN_API, targets })
    .filter(({ kind }) => kind === 'RequestAuthentication')
    .map(({ spec }) => {
      const { selector, targetRefs } = spec as { selector?: object; targetRefs?: object };
      return JSON.parse(JSON.stringify({ selector, targetRefs })) as object;
    });
  assert.deepEqual(specs, [{ targetRefs: [{ group: '', kind: 'Service', name: 'pets' }] }, {}]);
});
