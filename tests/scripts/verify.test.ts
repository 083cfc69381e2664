import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { withServer } from '../../harness/registry/server.ts';
import { nameOf, type KubeObject } from '../../scripts/cluster/object.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { emitResources, type EmitOptions } from '../../scripts/istio/index.ts';
import { validPolicy } from '../../scripts/policy/index.ts';
import { digestIn, pluginResourceOf } from '../../scripts/verify/plugin.ts';
import { filterIn, infosIn } from '../../scripts/verify/proxy.ts';
import { verify } from '../../scripts/verify/verify.ts';
import { connected, type FakeCluster, withKubectl } from './fakeKubectl.ts';
import { tollgate, type Run } from './fakeIo.ts';

// what a real API server, real proxies and a real registry say is tried in tests/istio/verify.ts; here is every fault

const PASSWORD = 'hunter2-of-the-registry';
const BASIC = `Basic ${Buffer.from(`puller:${PASSWORD}`).toString('base64')}`;
const CONFIG = Buffer.from('{}');
const MANIFEST = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(CONFIG), size: CONFIG.length },
    layers: [],
  }),
);

/** A registry with one image, which only somebody with the password gets; `lacks` is a digest that it has lost. */
function registry(lacks = ''): ReturnType<typeof createServer> {
  return createServer((request, response) => {
    const url = request.url ?? '';
    if (request.headers.authorization !== BASIC)
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="http://registry.test/"' }).end();
    const found = [digestOf(MANIFEST), digestOf(CONFIG)].find((digest) => digest !== lacks && url.endsWith(digest));
    if (url === '/v2/') return void response.end();
    if (found === undefined) return void response.writeHead(404).end();
    if (url.includes('/blobs/')) return void response.end(CONFIG);
    response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }).end(MANIFEST);
  });
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

const GATEWAY = { istio: 'ingressgateway' };

/** A policy on a gateway, with routes to two services, or on the sidecars of a namespace. */
function policyOf(target: 'gateway' | 'sidecars', more: object = {}): object {
  const service = (name: string): object => ({ service: { host: `${name}.shop.svc.cluster.local`, port: 80 } });
  return {
    policy: 'petstore',
    targets:
      target === 'gateway'
        ? [{ gateway: { namespace: 'istio-system', selector: GATEWAY, gateways: ['ingress'] } }]
        : [{ namespace: 'shop' }],
    upstreams:
      target === 'gateway' ? { one: service('one'), two: service('two') } : { one: { url: 'http://127.0.0.1:1' } },
    apis: {
      pets: {
        paths: ['/v1'],
        plans: ['free'],
        upstream: 'one',
        ...(target === 'gateway' && { routes: [{ name: 'v2', when: { headers: { 'x-v': '2' } }, upstream: 'two' }] }),
      },
    },
    plans: { free: {} },
    consumers: { acme: { plan: 'free', keys: [{ id: 'acme-1', digest: `sha256:${'a'.repeat(64)}` }] } },
    ...more,
  };
}

interface Scene {
  readonly policyText: string;
  readonly emitted: readonly { readonly name: string; readonly text: string }[];
  readonly cluster: FakeCluster;
  readonly image: string;
}

/** A cluster in which all is well. */
function sceneOf(policy: object, host: string, options: Partial<EmitOptions> = {}): Scene {
  const image = `oci://${host}/tollgate@${digestOf(MANIFEST)}`;
  const policyText = JSON.stringify(policy);
  const emitted = emitResources(validPolicy(policyText, 'petstore.policy.yaml').policy, {
    image,
    pullSecret: 'registry',
    ...options,
  });
  const objects = emitted.map(({ resource }) => JSON.parse(JSON.stringify(resource)) as KubeObject);
  const plugin = pluginResourceOf(objects.find(({ kind }) => kind === 'WasmPlugin')!)!;
  const { namespace } = plugin;
  const pods = ['a-0', 'a-1', 'a-2'].map((name) => podOf(name, namespace, plugin.selector ?? { app: 'a' }));
  const auths = { [host]: { username: 'puller', password: PASSWORD } };
  const dockerconfig = Buffer.from(JSON.stringify({ auths })).toString('base64');
  return {
    policyText,
    emitted,
    image,
    cluster: {
      objects: [
        ...objects,
        ...pods,
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
        object('v1', 'Secret', 'registry', namespace, { data: { '.dockerconfigjson': dockerconfig } }),
        object('networking.istio.io/v1', 'Gateway', 'ingress', namespace, { spec: { selector: GATEWAY } }),
      ],
      metrics: Object.fromEntries(
        pods.map(({ metadata: { name } }) => [`${namespace}/${name}:15090`, metricsOf(plugin.digest)]),
      ),
      dumps: Object.fromEntries(pods.map(({ metadata: { name } }) => [`${namespace}/${name}`, dumpOf(objects)])),
    },
  };
}

function object(apiVersion: string, kind: string, name: string, namespace: string, more: object): KubeObject {
  return { apiVersion, kind, metadata: { name, namespace }, ...more };
}

function podOf(name: string, namespace: string, labels: Record<string, string>, containers: object[] = []): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    // as a native sidecar
    spec: { containers, initContainers: [{ name: 'istio-proxy', restartPolicy: 'Always' }] },
    status: { phase: 'Running', podIP: '10.1.2.3' },
  };
}

function metricsOf(digest: string): string {
  return `# TYPE tollgate_info gauge\ntollgate_info{digest="000000000000",policy="petstore",version="1"} 0\ntollgate_info{digest="${digest}",policy="petstore",version="1"} 1\n`;
}

function dumpOf(
  objects: readonly KubeObject[],
  change: (entry: Record<string, unknown>) => object = (entry) => entry,
): string {
  const configs = objects.flatMap((one) => {
    const plugin = pluginResourceOf(one);
    if (plugin === null) return [];
    const code = { local: { filename: `/var/lib/istio/data/x/${plugin.image.split('sha256:')[1]}.wasm` } };
    const config = { vm_config: { code }, configuration: { value: JSON.stringify(plugin.config) } };
    const name = `extenstions.istio.io/wasmplugin/${plugin.namespace}.${plugin.name}`;
    return [change({ ecds_filter: { name, typed_config: { '@type': 'wasm', config } } })];
  });
  return JSON.stringify({ configs });
}

type Change = (scene: Scene) => Partial<FakeCluster>;

/** Fields that tests change. */
interface Draft {
  readonly spec: {
    http: unknown[];
    priority: number;
    url: string;
    vmConfig: unknown;
    imagePullSecret: string;
    selector: object;
    jwtRules: Record<string, unknown>[];
    readonly pluginConfig: { unmatched?: string; version: number };
    containers: object[];
    initContainers: object[];
  };
  data: Record<string, string>;
  readonly metadata: { annotations: Record<string, string> };
}

/** Changes the objects of a name. */
function edit(name: RegExp, change: (object: Draft) => unknown): Change {
  return ({ cluster }) => ({
    objects: cluster.objects.flatMap((one) => {
      if (!name.test(nameOf(one))) return [one];
      const copy = JSON.parse(JSON.stringify(one)) as KubeObject;
      return change(copy as unknown as Draft) === null ? [] : [copy];
    }),
  });
}

async function verified(
  policy: object,
  change: Change = () => ({}),
  args: readonly string[] = [],
  { lacks, from = 'folder' }: { lacks?: string; from?: 'folder' | 'policy' } = {},
): Promise<Run> {
  return withServer(registry(lacks), async (host) => {
    const scene = sceneOf(policy, host);
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-verify-'));
    try {
      for (const { name, text } of scene.emitted) await writeFile(join(folder, name), text);
      return await withKubectl({ ...scene.cluster, ...change(scene) }, async () => {
        const run = await tollgate(
          from === 'folder'
            ? ['verify', folder, ...args]
            : ['verify', '-', ...args.map((arg) => (arg === 'IMAGE' ? scene.image : arg))],
          { stdin: scene.policyText },
        );
        return { ...run, out: run.out.replaceAll(folder, 'DIR').replaceAll(host, 'HOST') };
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** The same without a process for each question, as lines of problems. */
function problemsOf(policy: object, change: Change, lacks = '', asked = 'problem'): Promise<string> {
  return withServer(registry(lacks), async (host) => {
    const scene = sceneOf(policy, host);
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-verify-'));
    try {
      for (const { name, text } of scene.emitted) await writeFile(join(folder, name), text);
      const [report] = await verify({ folder }, await connected({ ...scene.cluster, ...change(scene) }), {
        rootNamespace: 'istio-system',
        plainHttp: false,
        allowedHosts: [],
        signal: new AbortController().signal,
        dumps: true,
        skipped: [],
        mostProxies: 10,
        note: () => undefined,
      });
      return report!.findings
        .filter(({ kind }) => kind === asked)
        .map(({ object, text }) => `${object}: ${text}`)
        .join('\n')
        .replaceAll(folder, 'DIR')
        .replaceAll(host, 'HOST');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

const PLUGIN = 'WasmPlugin istio-system/tollgate-petstore-gateway-ingressgateway';
const TABLE = 'VirtualService istio-system/tollgate-petstore-gateway-ingressgateway';

describe('verify', () => {
  const gateway = policyOf('gateway');
  const digest = digestIn(
    pluginResourceOf(sceneOf(gateway, 'h').cluster.objects.find(({ kind }) => kind === 'WasmPlugin')!)!.config,
  );

  it('is content with a cluster that does what the files say', async () => {
    const { code, out } = await verified(gateway);
    assert.deepEqual(
      [code, out],
      [
        0,
        `policy petstore: 2 resources of DIR\n  ${PLUGIN}: policy ${digest}, image ${digestOf(MANIFEST).slice(7, 19)}: 3 of 3 proxies up to date\nall is well\n`,
      ],
    );
  });

  it('takes image and options from the cluster when it is given the policy', async () => {
    const { code, out } = await verified(gateway, undefined, [], { from: 'policy' });
    assert.deepEqual([code, out.split('\n').at(-2)], [0, 'all is well']);
  });

  it('changes nothing: it asks kubectl for get --raw and port-forward alone', async () => {
    const scene = sceneOf(gateway, '127.0.0.1:1');
    await withKubectl(scene.cluster, async (calls) => {
      await tollgate(['verify', '-'], { stdin: scene.policyText });
      const asked = await calls();
      assert.ok(asked.length > 10);
      assert.deepEqual(
        asked.filter(([command, raw]) => !(command === 'get' && raw === '--raw') && command !== 'port-forward'),
        [],
      );
    });
  });

  /** What is wrong, and a line that says so. */
  const faults: readonly [what: string, change: Change, line: RegExp, options?: { lacks?: string }][] = [
    ['a table that is gone', edit(/^VirtualService/, () => null), new RegExp(`^${TABLE}: is not in the cluster$`, 'm')],
    [
      'a table that is gone, whose routes nobody reads then',
      edit(/^VirtualService/, () => null),
      new RegExp(
        `^${PLUGIN}: names routes in x-tollgate-route, and no VirtualService or HTTPRoute reads that header$`,
        'm',
      ),
    ],
    [
      'a route that was taken out of the table',
      edit(/^VirtualService/, (one) => one.spec.http.shift()),
      /no VirtualService or HTTPRoute has the route pets\/v2$/m,
    ],
    [
      'a field patched by hand',
      edit(/^WasmPlugin/, (one) => (one.spec.priority = 99)),
      new RegExp(`^${PLUGIN}: spec\\.priority: is 99; the file says 10$`, 'm'),
    ],
    [
      'a field that no file has',
      edit(/^WasmPlugin/, (one) => (one.spec.vmConfig = { env: [] })),
      /: spec\.vmConfig: is \{"env":\[\]\}; no file says so$/m,
    ],
    [
      'a config changed by hand, whose digest is still that of before',
      edit(/^WasmPlugin/, (one) => (one.spec.pluginConfig.unmatched = 'allow')),
      /: pluginConfig: (was changed by hand|has policy digest \w+, and not \w+); other: unmatched$/m,
    ],
    ...[-3, 59].map((days): (typeof faults)[number] => [
      `a config that knows its zones for ${days} days more`,
      edit(/^WasmPlugin/, (one) => {
        const until = Math.floor(Date.now() / 1000) + days * 86_400 + 3600;
        const zones = [
          { name: 'Europe/Berlin', offsetSeconds: 3600, until },
          { name: 'Asia/Tokyo', offsetSeconds: 32_400, until: until + 400 * 86_400 },
        ];
        Object.assign(one.spec.pluginConfig, { zones });
      }),
      new RegExp(
        `^${PLUGIN}: the config knows when clocks change until \\d{4}-\\d\\d-\\d\\d, ${days < 0 ? 'which is over' : '59 days from now'} \\(Europe/Berlin\\); .*; emit and apply it again$`,
        'm',
      ),
    ]),
    [
      'a config that the module refuses',
      edit(/^WasmPlugin/, (one) => (one.spec.pluginConfig.version = 2)),
      /: the module refuses the plugin config, and proxies keep the one they have: .*version/m,
    ],
    [
      'a plugin of a target that is gone',
      ({ cluster }) => ({
        objects: [
          ...cluster.objects,
          {
            ...cluster.objects.find(({ kind }) => kind === 'WasmPlugin')!,
            metadata: {
              name: 'tollgate-petstore-sidecars',
              namespace: 'old',
              labels: { 'app.kubernetes.io/managed-by': 'tollgate', 'app.kubernetes.io/instance': 'petstore' },
            },
          },
        ],
      }),
      /^WasmPlugin old\/tollgate-petstore-sidecars: is in force, and DIR says nothing of it; remove it with kubectl delete$/m,
    ],
    [
      'no pods',
      edit(/^Pod/, () => null),
      /: no pod of any namespace has the labels \{ istio: ingressgateway \}, so the policy is enforced nowhere$/m,
    ],
    ['no namespace', edit(/^(Pod|Namespace)/, () => null), /: there is no namespace istio-system$/m],
    [
      'pods without a proxy',
      edit(/^Pod .*a-1/, (one) => (one.spec.initContainers = [])),
      /: pod istio-system\/a-1: has no container istio-proxy, so nothing is checked there; restart it with sidecar injection on$/m,
    ],
    [
      'no Gateway',
      edit(/^Gateway/, () => null),
      new RegExp(`^${TABLE}: there is no Gateway istio-system/ingress, so nobody reads the table$`, 'm'),
    ],
    [
      'a Gateway of other pods',
      edit(/^Gateway/, (one) => (one.spec.selector = { istio: 'other' })),
      /^Gateway istio-system\/ingress: selects none of the pods that VirtualService .* is for: requests are routed elsewhere$/m,
    ],
    [
      'no pull secret',
      edit(/^Secret/, () => null),
      new RegExp(`^${PLUGIN}: imagePullSecret: there is no Secret istio-system/registry$`, 'm'),
    ],
    [
      'a pull secret for another registry',
      edit(
        /^Secret/,
        (one) =>
          (one.data['.dockerconfigjson'] = base64({ auths: { 'other.example': { username: 'a', password: 'b' } } })),
      ),
      /: cannot be pulled: HOST wants credentials and there are none for it; Secret istio-system\/registry has nothing for HOST$/m,
    ],
    [
      'a pull secret with a wrong password',
      ({ cluster, image }) =>
        edit(
          /^Secret/,
          (one) =>
            (one.data['.dockerconfigjson'] = base64({
              auths: { [image.split('/')[2]!]: { username: 'puller', password: 'wrong' } },
            })),
        )({
          cluster,
        } as Scene),
      /: cannot be pulled: HOST: .*\(401\); with Secret istio-system\/registry$/m,
    ],
    [
      'a pull secret of another type',
      edit(/^Secret/, (one) => (one.data = { password: 'x' })),
      /^Secret istio-system\/registry: has no \.dockerconfigjson; make it with "kubectl create secret docker-registry"$/m,
    ],
    [
      'a pull secret that is no JSON, which is not repeated',
      edit(/^Secret/, (one) => (one.data['.dockerconfigjson'] = Buffer.from(`{${PASSWORD}`).toString('base64'))),
      /^Secret istio-system\/registry: not JSON$/m,
    ],
    [
      'an image that is gone',
      () => ({}),
      /: cannot be pulled: HOST: has no tollgate with sha256:\w+; with Secret istio-system\/registry$/m,
      { lacks: digestOf(MANIFEST) },
    ],
    [
      'an image without its content',
      () => ({}),
      /: cannot be pulled: HOST: lacks sha256:\w+ of sha256:\w+; with Secret/m,
      { lacks: digestOf(CONFIG) },
    ],
    [
      'an image by its tag',
      edit(/^WasmPlugin/, (one) => (one.spec.url = 'registry.example/tollgate:1')),
      /: url: must begin with oci:/m,
    ],
    [
      'a proxy with an old policy',
      (scene) => ({
        metrics: { ...scene.cluster.metrics, 'istio-system/a-1:15090': metricsOf('0123456789ab') },
        dumps: { ...scene.cluster.dumps, 'istio-system/a-1': '{"configs":[]}' },
      }),
      new RegExp(`^pod istio-system/a-1: runs policy digest 0123456789ab; ${PLUGIN} says ${digest}$`, 'm'),
    ],
    [
      'a proxy of which a part has an old policy',
      ({ cluster }) => ({
        metrics: {
          ...cluster.metrics,
          'istio-system/a-1:15090': `${cluster.metrics!['istio-system/a-1:15090']}${metricsOf('fedcba987654')}`,
        },
      }),
      new RegExp(`^pod istio-system/a-1: runs policy digest fedcba987654; ${PLUGIN} says ${digest}$`, 'm'),
    ],
    [
      'a proxy with an old image',
      ({ cluster }) => ({
        dumps: {
          ...cluster.dumps,
          'istio-system/a-2': cluster.dumps!['istio-system/a-2']!.replace(
            /[0-9a-f]{64}\.wasm/,
            `${'5'.repeat(64)}.wasm`,
          ),
        },
      }),
      new RegExp(`^pod istio-system/a-2: runs image 555555555555; ${PLUGIN} says oci://HOST`, 'm'),
    ],
    [
      'a proxy that could not pull the image',
      ({ cluster }) => ({ dumps: { ...cluster.dumps, 'istio-system/a-0': dumpOf(cluster.objects, shut('DENY')) } }),
      new RegExp(
        `^pod istio-system/a-0: could not pull the image of ${PLUGIN}, so it answers 403 to every request$`,
        'm',
      ),
    ],
    [
      'a proxy that could not pull the image and lets everything pass',
      ({ cluster }) => ({ dumps: { ...cluster.dumps, 'istio-system/a-0': dumpOf(cluster.objects, shut('ALLOW')) } }),
      /^pod istio-system\/a-0: could not pull the image of .*, so it checks no request$/m,
    ],
    [
      'a proxy that says why it refused',
      ({ cluster }) => ({
        dumps: {
          ...cluster.dumps,
          'istio-system/a-0': dumpOf(cluster.objects, (entry) => ({
            ...entry,
            error_state: { details: 'Unable\tto\u001b[31m create' },
          })),
        },
      }),
      /^pod istio-system\/a-0: has refused .*: Unable to \[31m create$/m,
    ],
    [
      'a proxy without the plugin',
      ({ cluster }) => ({
        metrics: { ...cluster.metrics, 'istio-system/a-0:15090': '' },
        dumps: { ...cluster.dumps, 'istio-system/a-0': '{"configs":[]}' },
      }),
      /^pod istio-system\/a-0: has nothing of .*, so it checks no request$/m,
    ],
    [
      "a load balancer's health check",
      ({ cluster }) => ({
        objects: [
          ...cluster.objects,
          {
            apiVersion: 'v1',
            kind: 'Service',
            metadata: {
              name: 'ingress',
              namespace: 'istio-system',
              annotations: { 'service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path': '/healthz' },
            },
            spec: { selector: GATEWAY },
          },
        ],
      }),
      /^Service istio-system\/ingress: service\.beta\.\S+: GET \/healthz would get 404 \(no_api\)$/m,
    ],
  ];
  for (const [what, change, line, { lacks } = {}] of faults)
    it(`finds ${what}`, async () => {
      const out = await problemsOf(gateway, change, lacks);
      assert.match(out, line);
      assert.doesNotMatch(out, new RegExp(PASSWORD));
    });

  describe('where an API takes tokens', () => {
    const tokens = policyOf('gateway', {
      apis: { pets: { paths: ['/v1'], plans: ['free'], upstream: 'one', credentials: ['token', 'key'] } },
      tokens: { corp: { issuer: 'https://idp.example', jwks: 'https://idp.example/keys', audiences: ['shop'] } },
    });
    const name = PLUGIN.replace('WasmPlugin', 'RequestAuthentication');

    it('is content with a cluster that has Istio verify them', async () => {
      const { code, out } = await verified(tokens);
      assert.deepEqual([code, out.split('\n').at(-2)], [0, 'all is well'], out);
    });

    it('finds that nobody verifies them, from the files and from the policy', async () => {
      const gone = edit(/^RequestAuthentication/, () => null);
      for (const from of ['folder', 'policy'] as const) {
        const { code, out } = await verified(tokens, gone, [], { from });
        assert.equal(code, 1);
        assert.match(out, new RegExp(`^${name}: is not in the cluster$`, 'm'));
      }
    });

    it('finds that they are verified by other rules', async () => {
      const changed = edit(/^RequestAuthentication/, ({ spec }) => {
        spec.jwtRules[0]!['issuer'] = 'https://other.example';
        delete spec.jwtRules[0]!['audiences'];
      });
      const out = await problemsOf(tokens, changed);
      assert.match(out, new RegExp(`^${name}: spec\\.jwtRules.*: is "https://other.example"; the file says`, 'm'));
      assert.match(out, /^RequestAuthentication .*audiences/m);
    });

    it('finds rules of a policy that has none any more', async () => {
      const left = sceneOf(tokens, 'HOST').cluster.objects.find(({ kind }) => kind === 'RequestAuthentication')!;
      const out = await problemsOf(gateway, ({ cluster }) => ({ objects: [...cluster.objects, left] }));
      assert.match(out, new RegExp(`^${name}: is in the cluster, and DIR says nothing of it$`, 'm'));
    });
  });

  describe('where slashes are data in paths', () => {
    const api = { paths: ['/v1'], plans: ['free'], upstream: 'one' };
    const withData = policyOf('gateway', {
      apis: {
        pets: { ...api, pathData: ['escaped-slashes'] },
        files: { ...api, paths: ['/files'], pathData: ['empty-segments'] },
        plain: { ...api, paths: ['/plain'] },
      },
    });
    const mesh = (text: string, name = 'istio'): Change => {
      const config = object('v1', 'ConfigMap', name, 'istio-system', { data: { mesh: text } });
      return ({ cluster }) => ({ objects: [...cluster.objects, config] });
    };
    const set = (normalization: string): Change => mesh(`pathNormalization:\n  normalization: ${normalization}\n`);

    it('is content with a mesh that leaves them alone', async () => {
      for (const change of [set('BASE'), set('NONE'), mesh('accessLogFile: /dev/stdout')])
        assert.equal(await problemsOf(withData, change), '');
    });

    it('finds what the mesh takes out of them, API by API', async () => {
      const config = 'ConfigMap istio-system/istio';
      const rest = `never reach ${PLUGIN}; BASE and NONE let them through`;
      assert.deepEqual((await problemsOf(withData, set('MERGE_SLASHES'))).split('\n'), [
        `${config}: pathNormalization is MERGE_SLASHES, so empty-segments of API files ${rest}`,
      ]);
      assert.deepEqual((await problemsOf(withData, set('DECODE_AND_MERGE_SLASHES'))).split('\n'), [
        `${config}: pathNormalization is DECODE_AND_MERGE_SLASHES, so empty-segments of API files ${rest}`,
        `${config}: pathNormalization is DECODE_AND_MERGE_SLASHES, so escaped-slashes of API pets ${rest}`,
      ]);
    });

    it('reads the config of the revision that a pod has', async () => {
      const revised: Change = (scene) => ({
        objects: mesh(
          'pathNormalization: { normalization: MERGE_SLASHES }',
          'istio-canary',
        )({
          ...scene,
          cluster: { ...scene.cluster, ...mesh('{}')(scene) },
        }).objects!.map((one) =>
          one.metadata.name === 'a-1'
            ? {
                ...one,
                metadata: { ...one.metadata, labels: { ...one.metadata.labels, 'istio.io/rev': 'canary' } },
              }
            : one,
        ),
      });
      assert.match(await problemsOf(withData, revised), /^ConfigMap istio-system\/istio-canary: .* of API files/);
    });

    it('says where it cannot know, and asks nothing for other policies', async () => {
      const unseen = (change: Change, policy = withData): Promise<string> => problemsOf(policy, change, '', 'unseen');
      const unknown = /^ConfigMap istio-system\/istio: .* whether "pathData" reaches WasmPlugin .* is not known$/;
      for (const change of [() => ({}), mesh('{'), mesh(']')]) assert.match(await unseen(change), unknown);
      const forbidden: Change = () => ({ forbidden: ['get configmaps'] });
      assert.equal(await unseen(forbidden), 'ConfigMap istio-system/istio: may not get configmaps');
      assert.equal(await unseen(forbidden, gateway), '');
    });
  });

  it('finds nothing of what is skipped, and asks no registry or proxy for it', async () => {
    const skip = ['resources', 'targets', 'routing', 'image', 'proxies', 'traffic'].flatMap((area) => ['--skip', area]);
    const { code, out } = await verified(
      gateway,
      edit(/^(VirtualService|Secret|Gateway|Pod)/, () => null),
      skip,
    );
    assert.deepEqual([code, out.split('\n').at(-2)], [0, 'all is well']);
  });

  it('says what it may not look at, too, where what would have said so is skipped', async () => {
    const without = async (forbidden: string[], ...areas: string[]): Promise<[number, string]> => {
      const { code, out } = await verified(
        gateway,
        () => ({ forbidden }),
        areas.flatMap((area) => ['--skip', area]),
      );
      return [code, out];
    };
    const [pods, noPods] = await without(['list pods'], 'targets', 'routing');
    assert.match(noPods, /^not looked at: WasmPlugin .*: its pods could not be listed$/m);
    const [plugins, noPlugins] = await without(['list wasmplugins', 'get wasmplugins'], 'resources', 'routing');
    assert.match(noPlugins, /^not looked at: WasmPlugin .*: may not get wasmplugins$/m);
    assert.deepEqual([pods, plugins], [2, 2]);
  });

  it('looks into one namespace, and says that there may be others', async () => {
    const { code, out } = await verified(gateway, () => ({ forbidden: ['list all pods'] }));
    assert.equal(code, 0);
    assert.match(
      out,
      /^note: WasmPlugin .*: is for pods of every namespace; only those of istio-system may be listed$/m,
    );
  });

  it('takes an empty imagePullSecret for none, as Istio does', async () => {
    const out = await problemsOf(
      gateway,
      edit(/^WasmPlugin/, (one) => (one.spec.imagePullSecret = '')),
    );
    assert.match(out, /: cannot be pulled: HOST wants credentials .*; no imagePullSecret is named$/m);
  });

  it('lets nothing of an object reach the terminal as it is', async () => {
    const out = await problemsOf(
      gateway,
      edit(/^WasmPlugin/, (one) => {
        one.spec.url = 'oci://\u009b31m\u001b[31m';
        one.spec.imagePullSecret = 'a\u009b31m\u202e';
        one.spec.selector = { matchLabels: { istio: '\u009b32m\nproblem' } };
        one.spec.pluginConfig.unmatched = '\u009b33m';
      }),
    );
    assert.match(out, /imagePullSecret/);
    assert.doesNotMatch(out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  it('says what it may not look at, with an exit code of its own', async () => {
    const { code, out } = await verified(gateway, () => ({
      forbidden: ['get secrets', 'get pods/proxy', 'create pods/portforward', 'list all wasmplugins'],
    }));
    assert.equal(code, 2);
    assert.match(out, /^not looked at: Secret istio-system\/registry: may not get secrets$/m);
    assert.match(
      out,
      /^not looked at: pod istio-system\/a-0: metrics: may not get pods\/proxy; config dump: may not create pods\/portforward$/m,
    );
    assert.match(out, /^0 problems, 4 things not looked at$/m);
  });

  it('needs no config dumps where metrics tell, and says what they would have told', async () => {
    const forbidden: Change = () => ({ forbidden: ['create pods/portforward'] });
    const { code, out } = await verified(gateway, forbidden);
    assert.equal(code, 0);
    assert.match(out, /^note: WasmPlugin .*: not read: config dump: may not create pods\/portforward$/m);
    const quiet = await verified(gateway, forbidden, ['--metrics-only']);
    assert.doesNotMatch(quiet.out, /note:/);
  });

  it('looks at what is not applied yet: targets, and the image with the secret', async () => {
    const before = edit(/^(WasmPlugin|VirtualService)/, () => null);
    const { code, out } = await verified(
      gateway,
      before,
      ['--image', 'IMAGE', '--pull-secret', 'nix', '--skip', 'resources', '--skip', 'routing'],
      { from: 'policy' },
    );
    assert.equal(code, 1);
    assert.match(out, /: imagePullSecret: there is no Secret istio-system\/nix\n1 problem\n$/);
  });

  it('asks as many proxies as it is told to, and says how many there are', async () => {
    const { out } = await verified(gateway, undefined, ['--proxies', '2']);
    assert.match(out, /: 2 of 2 proxies up to date, 2 of 3 asked$/m);
  });

  it('prints JSON without the config', async () => {
    const { out } = await verified(gateway, undefined, ['--json']);
    const { policies, problems } = JSON.parse(out) as {
      policies: { plugins: { proxies: { state: string }[] }[] }[];
      problems: number;
    };
    assert.equal(problems, 0);
    assert.deepEqual(
      policies[0]!.plugins[0]!.proxies.map(({ state }) => state),
      ['current', 'current', 'current'],
    );
    assert.doesNotMatch(out, /acme/);
  });

  it('tells a cluster that cannot be asked from one that is not well', async () => {
    const { code, out, err } = await verified(gateway, undefined, ['--context', 'nowhere']);
    assert.deepEqual([code, out], [2, '']);
    // on a busy machine, progress may stand before it
    assert.match(err, /^kubectl: context "nowhere" does not exist\n$/m);
    const path = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    try {
      const without = await tollgate(['verify', '-'], { stdin: JSON.stringify(gateway) });
      assert.deepEqual(
        [without.code, without.err],
        [2, 'kubectl: not found; the cluster is asked through kubectl, with its kubeconfig\n'],
      );
    } finally {
      process.env['PATH'] = path;
    }
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const scene = sceneOf(gateway, '127.0.0.1:1');
    await withKubectl({ ...scene.cluster, hanging: ['virtualservices'] }, async () => {
      setTimeout(() => stop.abort(), 300);
      const { code } = await tollgate(['verify', '-'], { stdin: scene.policyText, signal: stop.signal });
      assert.notEqual(code, 0);
    });
  });

  it('takes one DIR or POLICY, and no option of the other', async () => {
    for (const [args, err] of [
      [[], 'takes one DIR or POLICY; found 0'],
      [['a', 'b'], 'takes one DIR or POLICY; found 2'],
      [['a', '--pull-secret', 'x'], '--pull-secret goes with --image'],
      [
        [inPackage('wasmplugins', 'waypoint', 'resources'), '--image', 'x'],
        '--image and --pull-secret go with a POLICY; a DIR says them itself',
      ],
      [['a', '--skip', 'all'], '--skip is one of resources, targets, routing, image, proxies, traffic; found "all"'],
    ] as const)
      assert.deepEqual(await tollgate(['verify', ...args]), {
        code: 2,
        out: '',
        err: `tollgate verify: ${err}; see tollgate verify --help\n`,
      });
    await withKubectl({ objects: [] }, async (_, folder) => {
      const { code, err } = await tollgate(['verify', folder]);
      assert.deepEqual([code, err], [2, `${folder}: holds no file that "tollgate emit" wrote\n`]);
    });
  });
});

describe('verify on sidecars', () => {
  const sidecars = policyOf('sidecars');
  const app = (probe: object): object => ({ name: 'app', ports: [{ name: 'http', containerPort: 8080 }], ...probe });
  const withApp = (probe: object, annotations: Record<string, string> = {}): Change =>
    edit(/^Pod/, (one) => {
      one.spec.containers = [app(probe)];
      one.metadata.annotations = annotations;
    });
  const probe = (path: string, port: unknown): object => ({ readinessProbe: { httpGet: { path, port } } });

  it('needs no routing table', async () => {
    assert.equal(await problemsOf(sidecars, () => ({})), '');
  });

  it('finds probes that the policy would refuse, once for each owner of pods', async () => {
    const open = await problemsOf(sidecars, withApp(probe('/healthz', 'http')));
    assert.match(open, /^Pod shop\/a-0: readinessProbe of container app: GET \/healthz would get 404 \(no_api\)$/m);
    const guarded = await problemsOf(sidecars, withApp(probe('/v1/health', 8080)));
    assert.match(guarded, /: GET \/v1\/health would get 401 \(missing_api_key\)$/m);
    const owned: Change = (scene) => ({
      objects: withApp(probe('/healthz', 8080))(scene).objects!.map((one) =>
        one.kind === 'Pod' ? { ...one, metadata: { ...one.metadata, ownerReferences: [{ name: 'a' }] } } : one,
      ),
    });
    assert.equal((await problemsOf(sidecars, owned)).split('\n').length, 1);
  });

  it('finds grpc probes, hooks and scraping that the policy would refuse', async () => {
    const found = async (container: object, annotations = {}): Promise<string> =>
      (await problemsOf(sidecars, withApp(container, annotations))).replace(/^Pod shop\/a-0: /, '');
    assert.match(
      await found({ livenessProbe: { grpc: { port: 8080 } } }),
      /^livenessProbe of container app: POST \/grpc\.health\.v1\.Health\/Check would get gRPC status \d+ \(no_api\)$/m,
    );
    assert.match(
      await found({ lifecycle: { preStop: { httpGet: { path: 'stop', port: 'http' } } } }),
      /^lifecycle\.preStop of container app: GET \/stop would get 404 \(no_api\)$/m,
    );
    const scraped = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080' };
    assert.match(await found({}, scraped), /^scraping: GET \/metrics would get 404 \(no_api\)$/m);
    assert.match(
      await found({}, { 'prometheus.io/scrape': 'true', 'prometheus.io/path': '/v1/m' }),
      /^scraping: GET \/v1\/m would get 401 \(missing_api_key\)$/m,
    );
    for (const other of [{ 'prometheus.io/scrape': 'false' }, { 'prometheus.io/port': '15020' }])
      assert.equal(await found({}, { ...scraped, ...other }), '');
  });

  it('asks with the headers of a probe, and prints neither them nor its query', async () => {
    const key = 'probe-key-of-acme';
    const consumers = { acme: { plan: 'free', keys: [{ id: 'acme-1', digest: digestOf(Buffer.from(key)) }] } };
    const policy = policyOf('sidecars', { consumers });
    const asking = (value: string): object => ({
      readinessProbe: {
        httpGet: { path: `/v1/ready?key=${value}`, port: 8080, httpHeaders: [{ name: 'X-API-Key', value }] },
      },
    });
    assert.equal(await problemsOf(policy, withApp(asking(key))), '');
    const refused = await problemsOf(policy, withApp(asking('hidden-key')));
    assert.match(refused, /: GET \/v1\/ready would get 401 \(unknown_api_key\)$/m);
    assert.doesNotMatch(refused, /hidden/);
  });

  for (const [what, change] of [
    ["that Istio has taken over, which ask the agent's port", withApp(probe('/app-health/app/readyz', 15020))],
    [
      'of a port that the proxy does not see',
      withApp(probe('/healthz', 8080), { 'traffic.sidecar.istio.io/excludeInboundPorts': '9000, 8080' }),
    ],
    [
      'of other ports than those that the proxy sees',
      withApp(probe('/healthz', 8080), { 'traffic.sidecar.istio.io/includeInboundPorts': '9000' }),
    ],
    ['over TLS', withApp({ livenessProbe: { httpGet: { path: '/', port: 8080, scheme: 'HTTPS' } } })],
    [
      'that are no requests',
      withApp({ livenessProbe: { tcpSocket: { port: 8080 } }, readinessProbe: { exec: { command: ['true'] } } }),
    ],
  ] as const)
    it(`has nothing against probes ${what}`, async () => {
      assert.equal(await problemsOf(sidecars, change), '');
    });

  it('lets a policy with unmatched: allow have its probes', async () => {
    assert.equal(await problemsOf(policyOf('sidecars', { unmatched: 'allow' }), withApp(probe('/healthz', 8080))), '');
  });
});

describe('status', () => {
  let scene: Scene;
  before(() => {
    scene = sceneOf(policyOf('gateway'), 'registry.example');
  });
  const asked = (cluster: Partial<FakeCluster>, ...args: string[]): Promise<Run> =>
    withKubectl({ ...scene.cluster, ...cluster }, () => tollgate(['status', ...args]));

  it('lists policies, plugins and what each proxy runs', async () => {
    const { code, out } = await asked({});
    assert.equal(code, 0);
    assert.match(
      out,
      /^policy petstore\n  WasmPlugin istio-system\/\S+: policy \w{12}, image \w{12}: 3 of 3 proxies up to date\n    istio-system\/a-0: up to date \(module 1, policy \w{12}, image \w{12}\)\n/,
    );
  });

  it('answers 1 for a proxy that runs something else, and for a policy that is not there', async () => {
    assert.equal(
      (await asked({ metrics: { ...scene.cluster.metrics, 'istio-system/a-0:15090': metricsOf('0123456789ab') } }))
        .code,
      1,
    );
    const { code, out } = await asked({}, 'nix');
    assert.deepEqual([code, out], [1, 'policy nix: no plugin in this cluster\n']);
    const empty = await asked({ objects: [] });
    assert.deepEqual([empty.code, empty.out], [0, 'no policy of Tollgate in this cluster\n']);
  });

  it('looks into the namespaces that it may look into', async () => {
    const forbidden = ['list all wasmplugins', 'list all pods'];
    const { code, out } = await asked({ forbidden }, '-n', 'istio-system');
    assert.equal(code, 0, out);
  });

  it('does not take what it may not see for what is not there', async () => {
    const forbidden = ['list wasmplugins'];
    const all = await asked({ forbidden });
    assert.deepEqual(
      [all.code, all.out],
      [2, 'no policy of Tollgate was seen\nnot looked at: may not list wasmplugins; --namespace names where you may\n'],
    );
    const { code, out } = await asked({ forbidden }, 'petstore');
    assert.deepEqual([code, out.split('\n')[0]], [2, 'policy petstore: no plugin was seen']);
    const json = await asked({ forbidden }, '--json');
    assert.deepEqual([json.code, JSON.parse(json.out)], [2, { policies: [], unseen: ['may not list wasmplugins'] }]);
    // nobody needs more rights than for plugins and pods
    assert.equal((await asked({ forbidden: ['list envoyfilters', 'list httproutes'] })).code, 0);
  });

  it('says why a proxy could not be asked, or has refused its config', async () => {
    const blind = await asked({ forbidden: ['get pods/proxy', 'create pods/portforward'] });
    assert.equal(blind.code, 2);
    assert.match(blind.out, /a-0: could not be asked: metrics: may not get pods\/proxy; config dump: may not create/);
    const dump = dumpOf(scene.cluster.objects, (entry) => ({ ...entry, error_state: { details: 'no such field' } }));
    const refused = await asked({ dumps: { ...scene.cluster.dumps, 'istio-system/a-0': dump } });
    assert.equal(refused.code, 1);
    assert.match(refused.out, /a-0: runs something else \(.*\): no such field$/m);
  });
});

describe('what proxies say', () => {
  it('is found in metrics by the policy, whatever else is there', () => {
    const lines =
      'tollgate_info{digest="aa",policy="other",version="2"} 1\nenvoy_tollgate_info{policy="petstore",version="1",digest="bb",} 1\n';
    assert.deepEqual(infosIn(lines, 'petstore'), [{ version: '1', digest: 'bb' }]);
    assert.deepEqual(infosIn(lines.replaceAll(' 1\n', ' 0\n'), 'petstore'), []);
    assert.deepEqual(infosIn('tollgate_info{} 1\n{{{', 'petstore'), []);
  });

  it('is found in dumps by namespace and name, and not by a part of a name', () => {
    const plugin = pluginResourceOf(scenePlugin())!;
    const entry = (name: string): string =>
      JSON.stringify({ configs: [{ ecds_filter: { name, typed_config: { config: {} } } }] });
    const kinds = [
      'x/istio-system.NAME',
      'istio-system.NAME~istio-translated-wasmplugin',
      'istio-system.NAME-2',
      'other-istio-system.NAME',
    ].map((name) => filterIn(entry(name.replace('NAME', plugin.name)), plugin).kind);
    assert.deepEqual(kinds, ['wasm', 'wasm', 'none', 'none']);
    for (const dump of ['{}', '{"configs":null}', '{"configs":[null,1,{"ecds_filter":[]}]}', '[]'])
      assert.equal(filterIn(dump, plugin).kind, 'none');
    assert.throws(() => filterIn('<html>', plugin), /is not JSON/);
  });
});

function scenePlugin(): KubeObject {
  return sceneOf(policyOf('gateway'), 'h.example').cluster.objects.find(({ kind }) => kind === 'WasmPlugin')!;
}

/** What Istio's agent sends in place of a module that it cannot pull. */
function shut(action: 'DENY' | 'ALLOW'): (entry: Record<string, unknown>) => object {
  return ({ ecds_filter: filter }) => ({
    ecds_filter: {
      ...(filter as object),
      typed_config: {
        '@type': 'rbac',
        ...(action === 'DENY' && { rules: {} }),
        rules_stat_prefix: `wasm-default-${action.toLowerCase()}`,
      },
    },
  });
}

function base64(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64');
}
