import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { availableComponents } from '../../harness/components/available.ts';
import { keySet } from '../../harness/envoy/token.ts';
import { documents, type KubeObject } from '../../harness/mesh/kubeClient.ts';
import { waitFor } from '../../harness/mesh/wait.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { type Finished, runToEnd } from '../../scripts/program/run.ts';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { meshPolicy } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

const NOWHERE = '0'.repeat(64);
/** The other tests leave resources of their policy in the cluster, which verify would find. */
const NAME = 'verified';

/** What `verify` and `status` find in a real cluster, fault by fault, each made by hand. */
export function verifyTests(mesh: MeshUnderTest): void {
  describe('verify', () => {
    let [folder, emitted, policy] = ['', '', ''];
    let gateway: ProxyUnderTest;
    let kubectl = '';
    let skip: string | false = false;

    const env = (kubeconfig = mesh.kubeconfig): NodeJS.ProcessEnv => ({
      ...process.env,
      KUBECONFIG: kubeconfig,
      PATH: [dirname(kubectl), process.env['PATH']].join(delimiter),
    });
    const tollgate = (args: readonly string[], kubeconfig?: string): Promise<Finished> =>
      runToEnd(process.execPath, [inPackage('scripts', 'bin.mjs'), ...args], { env: env(kubeconfig) });
    const verify = (...more: string[]): Promise<Finished> => tollgate(['verify', emitted, ...more]);
    const apply = async (): Promise<void> => {
      const { code, stderr } = await runToEnd('kubectl', ['replace', '--force', '-f', emitted], { env: env() });
      assert.equal(code, 0, stderr);
    };
    const becomesWell = async (): Promise<void> => {
      let last = '';
      await waitFor(
        'all is well',
        async () => ((last = (await verify()).stdout), last.endsWith('all is well\n')),
      ).catch((error: Error) => assert.fail(`${error.message}\n${last}`));
    };
    /** Waits for the line: proxies hear of a change a moment later. */
    const finds = async (line: RegExp, ...more: string[]): Promise<void> => {
      let last: Finished | null = null;
      await waitFor(String(line), async () => ((last = await verify(...more)), line.test(last.stdout))).catch(() =>
        assert.match(last!.stdout + last!.stderr, line),
      );
      assert.equal(last!.code, 1);
    };
    const plugin = (): KubeObject => ({
      apiVersion: 'extensions.istio.io/v1alpha1',
      kind: 'WasmPlugin',
      metadata: { name: 'tollgate-verified-gateway-verified', namespace: gateway.namespace },
    });

    before(async () => {
      const found = await availableComponents(['kubectl']);
      if (found.skip !== false) return void (skip = found.skip);
      kubectl = found.paths.kubectl;
      folder = await mkdtemp(join(tmpdir(), 'tollgate-verify-'));
      [policy, emitted] = [join(folder, 'petstore.policy.yaml'), join(folder, 'emitted')];
      gateway = await mesh.gateway('verified');
      await mesh.pod(gateway, 'ingress-0');
      const plain = meshPolicy({ name: NAME, targets: [gateway.target] });
      const withTokens = {
        ...plain,
        tokens: { corp: { issuer: 'https://corp.example', jwks: keySet('corp') } },
        apis: { [NAME]: { ...plain.apis[NAME], credentials: ['token', 'key'] } },
      };
      await writeFile(policy, JSON.stringify(withTokens));
      const { code, stderr } = await tollgate(['emit', policy, '--image', mesh.image, '-o', emitted]);
      assert.equal(code, 0, stderr);
    });
    after(async () => {
      if (skip === false) await runToEnd('kubectl', ['delete', '-f', emitted, '--ignore-not-found'], { env: env() });
      await rm(folder, { recursive: true, force: true });
    });
    const proves = (what: string, test: () => Promise<void>): void =>
      void it(what, (context) => (skip === false ? test() : context.skip(skip)));

    proves('looks at what is not there yet, from the policy', async () => {
      const { code, stdout } = await tollgate(['verify', policy, '--image', mesh.image]);
      assert.equal(code, 1);
      assert.match(stdout, /^WasmPlugin verified-gateway\/tollgate-verified-gateway-verified: is not in the cluster$/m);
      assert.match(stdout, /^VirtualService .*: is not in the cluster$/m);
      assert.doesNotMatch(stdout, /cannot be pulled|no pod/);
    });

    proves('is content once it is rolled out, and tells digest, version and image', async () => {
      await apply();
      await gateway.becomesStatus(401);
      await becomesWell();
      assert.match((await verify()).stdout, /: policy \w{12}, image \w{12}: 1 of 1 proxies up to date$/m);
      assert.equal((await tollgate(['verify', policy])).code, 0);
      const { code, stdout } = await tollgate(['status', NAME, '--namespace', gateway.namespace]);
      assert.equal(code, 0, stdout);
      const image = /@sha256:(\w{12})/.exec(mesh.image)![1]!;
      assert.match(
        stdout,
        new RegExp(
          `^    verified-gateway/ingress-0: up to date \\(module [\\w.-]+, policy \\w{12}, image ${image}\\)$`,
          'm',
        ),
      );
      const metrics = await verify('--metrics-only', '--json');
      assert.equal(metrics.code, 0);
      const [proxy] = (
        JSON.parse(metrics.stdout) as { policies: { plugins: { proxies: { image: null; digest: string }[] }[] }[] }
      ).policies[0]!.plugins[0]!.proxies;
      assert.equal(proxy!.image, null);
      assert.match(proxy!.digest, /^[0-9a-f]{12}$/);
    });

    proves('finds fields patched by hand, and a pull secret that is not there', async () => {
      await mesh.apply([{ ...plugin(), spec: { imagePullSecret: 'theirs', priority: 99 } }]);
      const { code, stdout } = await verify();
      assert.equal(code, 1);
      assert.match(stdout, /: spec\.imagePullSecret: is "theirs"; no file says so$/m);
      assert.match(stdout, /: spec\.priority: is 99; the file says 10$/m);
      assert.match(stdout, /: imagePullSecret: there is no Secret verified-gateway\/theirs$/m);
      await apply();
    });

    proves('finds that nobody verifies tokens, or that other rules do', async () => {
      const rules = {
        apiVersion: 'security.istio.io/v1',
        kind: 'RequestAuthentication',
        metadata: { name: 'tollgate-verified-gateway-verified', namespace: gateway.namespace },
      };
      const { spec } = (await mesh.kube.get(rules)) as unknown as { spec: { jwtRules: object[] } };
      const others = [...spec.jwtRules, { issuer: 'https://other.example', jwks: JSON.stringify(keySet('other')) }];
      await mesh.apply([{ ...rules, spec: { ...spec, jwtRules: others } }]);
      const looked = ['--skip', 'proxies', '--skip', 'image'];
      const changed = await verify(...looked);
      assert.equal(changed.code, 1);
      assert.match(changed.stdout, /^RequestAuthentication .*: spec\.jwtRules: is /m);
      await mesh.delete([rules]);
      const gone = await verify(...looked);
      assert.equal(gone.code, 1);
      assert.match(gone.stdout, /^RequestAuthentication .*: is not in the cluster$/m);
      await apply();
    });

    proves('finds a table that is gone, and routes that nobody reads', async () => {
      await mesh.delete([
        {
          apiVersion: 'networking.istio.io/v1',
          kind: 'VirtualService',
          metadata: { name: 'tollgate-verified-gateway-verified', namespace: gateway.namespace },
        },
      ]);
      const { code, stdout } = await verify('--skip', 'proxies');
      assert.equal(code, 1);
      assert.match(stdout, /^VirtualService .*: is not in the cluster$/m);
      await apply();
      await becomesWell();
    });

    proves('finds an image that is not there, and the proxy that refuses everything for it', async () => {
      await mesh.apply([
        { ...plugin(), spec: { url: `oci://${mesh.registry}/nowhere@sha256:${NOWHERE}`, sha256: NOWHERE } },
      ]);
      await gateway.becomesStatus(403);
      await finds(
        /^pod verified-gateway\/ingress-0: could not pull the image of WasmPlugin .*, so it answers 403 to every request$/m,
      );
      assert.match(
        (await verify()).stdout,
        /: cannot be pulled: 127\.0\.0\.1:\d+: has no nowhere with sha256:0+; no imagePullSecret is named$/m,
      );
      assert.equal((await tollgate(['status', NAME, '-n', gateway.namespace])).code, 1);
      await apply();
      await gateway.becomesStatus(401);
      await becomesWell();
    });

    proves('finds a config that the module refuses, while the proxy goes on with the one before', async () => {
      const live = await mesh.kube.get(plugin());
      const spec = live['spec'] as { pluginConfig: Record<string, unknown> };
      await mesh.apply([
        { ...plugin(), spec: { pluginConfig: { ...spec.pluginConfig, version: 2, digest: 'f'.repeat(64) } } },
      ]);
      await finds(
        /^WasmPlugin .*: the module refuses the plugin config, and proxies keep the one they have: .*version/m,
      );
      await finds(
        /^pod verified-gateway\/ingress-0: (runs policy digest \w{12}; WasmPlugin .* says f{12}|has refused WasmPlugin .*version.*)$/m,
      );
      await apply();
      await becomesWell();
    });

    proves(
      'finds a proxy without the plugin, pods without a proxy, and a plugin of a target that is gone',
      async () => {
        const other = await mesh.gateway('unverified');
        await mesh.pod(other, 'ingress-1', { namespace: gateway.namespace, labels: gateway.selector });
        await mesh.barePod('bare', gateway.namespace, gateway.selector);
        const stray = {
          ...plugin(),
          metadata: {
            name: 'tollgate-verified-old',
            namespace: gateway.namespace,
            labels: { 'app.kubernetes.io/managed-by': 'tollgate', 'app.kubernetes.io/instance': NAME },
          },
          spec: { ...((await mesh.kube.get(plugin()))['spec'] as object), selector: { matchLabels: { app: 'old' } } },
        };
        await mesh.apply([stray]);
        const { stdout } = await verify();
        await mesh.delete([
          stray,
          ...['ingress-1', 'bare'].map((name) => ({
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: { name, namespace: gateway.namespace },
          })),
        ]);
        assert.match(
          stdout,
          /^pod verified-gateway\/ingress-1: has nothing of WasmPlugin .*, so it checks no request$/m,
        );
        assert.match(
          stdout,
          /: pod verified-gateway\/bare: has no container istio-proxy, so nothing is checked there/m,
        );
        assert.match(
          stdout,
          /^WasmPlugin verified-gateway\/tollgate-verified-old: is in force, and .* says nothing of it/m,
        );
        await becomesWell();
      },
    );

    proves('finds a probe that a sidecar would be refused, as the module decides', async () => {
      const file = join(folder, 'probed.policy.yaml');
      const target = { workload: { namespace: gateway.namespace, selector: { app: 'probed' }, mode: 'SERVER' } };
      await writeFile(file, JSON.stringify(meshPolicy({ name: 'probed', targets: [target], routed: false })));
      await mesh.barePod('probed', gateway.namespace, { app: 'probed' }, [
        { name: 'istio-proxy', image: 'x' },
        { name: 'app', image: 'x', readinessProbe: { httpGet: { path: '/healthz', port: 8080 } } },
      ]);
      const { stdout } = await tollgate(['verify', file, '--image', mesh.image]);
      assert.match(
        stdout,
        /^Pod verified-gateway\/probed: readinessProbe of container app: GET \/healthz would get 404 \(no_api\)$/m,
      );
      await mesh.delete([
        { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'probed', namespace: gateway.namespace } },
      ]);
    });

    proves('finds a mesh that takes slashes out of paths in which they are data', async () => {
      const file = join(folder, 'paths.policy.yaml');
      const plain = meshPolicy({ name: 'paths', targets: [gateway.target] });
      const apis = { paths: { ...plain.apis['paths'], pathData: ['escaped-slashes', 'empty-segments'] } };
      await writeFile(file, JSON.stringify({ ...plain, apis }));
      const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'istio', namespace: 'istio-system' } };
      const skipped = ['resources', 'targets', 'routing', 'image', 'proxies'].flatMap((area) => ['--skip', area]);
      const look = (): Promise<Finished> => tollgate(['verify', file, '--image', mesh.image, ...skipped]);
      const missing = await look();
      assert.equal(missing.code, 2);
      assert.match(missing.stdout, /^not looked at: ConfigMap istio-system\/istio: is not there/m);
      await mesh.apply([{ ...config, data: { mesh: 'pathNormalization: { normalization: MERGE_SLASHES }\n' } }]);
      const found = await look();
      await mesh.delete([config]);
      assert.equal(found.code, 1);
      assert.match(
        found.stdout,
        /^ConfigMap istio-system\/istio: pathNormalization is MERGE_SLASHES, so empty-segments of API paths never reach WasmPlugin verified-gateway\/tollgate-paths-gateway-verified; /m,
      );
    });

    proves('needs no more than the role of docs/verify.md, and says what it may not see without', async () => {
      const page = await readFile(inPackage('docs', 'verify.md'), 'utf8');
      const [role] = documents(/```yaml\n([^]*?)```/.exec(page)![1]!);
      const someone = { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'verifier' };
      const kubeconfig = join(folder, 'kubeconfig');
      const config = JSON.parse(await readFile(mesh.kubeconfig, 'utf8')) as {
        users: { user: Record<string, string> }[];
      };
      config.users[0]!.user['as'] = someone.name;
      await writeFile(kubeconfig, JSON.stringify(config), { mode: 0o600 });
      const blind = await tollgate(['verify', emitted], kubeconfig);
      assert.equal(blind.code, 2, blind.stdout);
      assert.match(blind.stdout, /^not looked at: WasmPlugin .*: may not (get|list) wasmplugins$/m);
      await mesh.apply([
        role!,
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata: { name: 'verifier' },
          roleRef: { kind: 'ClusterRole', apiGroup: 'rbac.authorization.k8s.io', name: role!.metadata.name },
          subjects: [someone],
        },
      ]);
      await waitFor('the role is in force', async () => (await tollgate(['verify', emitted], kubeconfig)).code === 0);
      const { stdout } = await tollgate(['verify', emitted], kubeconfig);
      assert.match(stdout, /all is well\n$/);
      assert.doesNotMatch(stdout, /not read|not looked at/);
    });

    proves('tells a cluster that cannot be asked from one that is not well', async () => {
      const { code, stderr } = await verify('--context', 'nowhere');
      assert.equal(code, 2);
      assert.match(stderr, /^kubectl: context "nowhere" does not exist$/m);
    });
  });
}
