import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { availableComponents } from '../../harness/components/available.ts';
import { ISTIO_LINE } from '../../harness/components/component.ts';
import { istioSource } from '../../harness/components/goBuild.ts';
import { documents, type KubeObject } from '../../harness/mesh/kubeClient.ts';
import { blocksOf, isAsShown, stepsOf, type Step } from '../../harness/page/block.ts';
import { Shell } from '../../harness/page/shell.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { runToEnd } from '../../scripts/program/run.ts';
import type { MeshUnderTest } from './meshUnderTest.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

const PAGE = 'docs/istio-quickstart.md';

/** What only a cluster with nodes, or somebody's own registry, can do. */
const NOT_HERE = [
  /^istioctl install /,
  /^IMAGE=\$\(tollgate push oci:\/\/registry\.example\.com/,
  /^kubectl -n registry rollout status .*\nkubectl -n registry port-forward /,
  /^kubectl -n istio-system port-forward service\/istio-ingressgateway 8080:80 /,
  /^kubectl delete namespace /,
];

/** The page "Istio in five minutes", as a reader types it: without nodes, so a gateway on loopback stands for the pod of one. */
export function quickstartTests(mesh: MeshUnderTest): void {
  describe('"Istio in five minutes"', () => {
    let folder: string;
    let gateway: ProxyUnderTest;
    let shell: Shell;
    let istioctl: string;
    let replacements: readonly (readonly [shown: string, here: string])[];

    before(async () => {
      const found = await availableComponents(['kubectl', 'istioctl']);
      if (found.skip !== false) throw new Error(found.skip);
      istioctl = found.paths.istioctl;
      gateway = await mesh.ingressGateway();
      folder = await mkdtemp(join(tmpdir(), 'tollgate-quickstart-'));
      await symlink(inPackage('scripts', 'bin.mjs'), join(folder, 'tollgate'));
      await symlink(found.paths.kubectl, join(folder, 'kubectl'));
      shell = new Shell(folder, {
        ...process.env,
        KUBECONFIG: mesh.kubeconfig,
        PATH: [folder, process.env['PATH']].join(delimiter),
      });
      replacements = [
        [
          'https://raw.githubusercontent.com/istio/istio/master/samples/httpbin/httpbin.yaml',
          join(await istioSource(), 'samples/httpbin/httpbin.yaml'),
        ],
        ['- port: { number: 80,', `- bind: 127.0.0.1\n      port: { number: ${gateway.port},`],
        ['oci://localhost:5000/', `oci://${mesh.registry}/`],
        [' localhost:8080/', ` 127.0.0.1:${gateway.port}/`],
      ];
    });
    after(async () => {
      shell?.end();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    it('has no command that is not run, but for those that need nodes', () => {
      const idle = blocksOf(PAGE).filter(({ mark }) => mark !== 'run');
      assert.deepEqual(
        idle.filter(({ text }) => !NOT_HERE.some((pattern) => pattern.test(text))).map(({ line }) => line),
        [],
      );
      assert.equal(idle.length, NOT_HERE.length);
    });

    it('runs on the Istio that docs/compatibility.md names', async () => {
      assert.equal((await readFile(join(await istioSource(), 'VERSION'), 'utf8')).trim(), ISTIO_LINE);
    });

    it('names the gateway as istioctl installs it', async () => {
      const { stdout, code } = await runToEnd(istioctl, ['manifest', 'generate', '--set', 'profile=default']);
      assert.equal(code, 0);
      const named = (kind: string): KubeObject | undefined =>
        documents(stdout).find((one) => one.kind === kind && one.metadata.name === 'istio-ingressgateway');
      const { template } = named('Deployment')!['spec'] as { template: { metadata: { labels: object } } };
      assert.equal((template.metadata.labels as Record<string, string>)['istio'], 'ingressgateway');
      const { ports } = named('Service')!['spec'] as { ports: { port: number }[] };
      assert.ok(ports.some(({ port }) => port === 80));
      assert.equal(named('Service')!.metadata.namespace, 'istio-system');
    });

    it('does what it says, command by command', async () => {
      const steps = blocksOf(PAGE)
        .filter(({ mark }) => mark === 'run')
        .flatMap(stepsOf);
      assert.ok(steps.length > 12, 'the commands were found');
      const used = new Set<string>();
      for (const step of steps) await follow(step, used);
      assert.deepEqual([...used].sort(), replacements.map(([shown]) => shown).sort(), 'each replacement is needed');
      await gateway.becomesStatus(404, { path: '/headers' });
    });

    async function follow({ line, command, printed: shown }: Step, used: Set<string>): Promise<void> {
      let here = command;
      for (const [from, to] of replacements) {
        if (here.includes(from)) used.add(from);
        here = here.replaceAll(from, to);
      }
      // the first request with a key, and what is counted after it
      if (command.startsWith('curl -s -H "x-api-key')) await inOneMinute();
      const printed = await shell.run(here);
      const where = `${PAGE}:${line}`;
      if (shown !== null) assert.ok(isAsShown(shown, printed), `${where}: ${command}\nprinted\n${printed}`);
      if (command.startsWith('kubectl create namespace demo')) await mesh.standInForPod('httpbin', 'demo');
      if (command.startsWith('curl -s -H "x-api-key')) {
        const { headers } = JSON.parse(printed) as { headers: Record<string, string> };
        assert.deepEqual(
          [
            headers['x-tollgate-consumer'],
            headers['x-tollgate-plan'],
            headers['x-tollgate-route'],
            headers['x-api-key'],
          ],
          ['acme', 'free', 'httpbin/default', undefined],
          where,
        );
      }
    }

    /** What the page does within a minute must not begin at the end of one. */
    async function inOneMinute(): Promise<void> {
      const left = 60_000 - (Date.now() % 60_000);
      if (left < 20_000) await new Promise((resolve) => setTimeout(resolve, left));
    }
  });
}
