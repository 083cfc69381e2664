import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { blocksOf, isAsShown, stepsOf } from '../../harness/page/block.ts';
import { Shell } from '../../harness/page/shell.ts';
import { waitFor } from '../../harness/mesh/wait.ts';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { meshPolicy, RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';
import { pluginIn, resourcesOf } from './resources.ts';

const PAGE = 'docs/troubleshooting.md';
const NOWHERE = `sha256:${'0'.repeat(64)}`;

/** The page's commands, each on a gateway that has the symptom. */
export function troubleshootingTests(mesh: MeshUnderTest): void {
  describe('"Troubleshooting"', () => {
    let folder: string;
    let gateway: ProxyUnderTest;
    let shell: Shell;
    let done = 0;

    before(async () => {
      gateway = await mesh.gateway('ingressgateway');
      folder = await mkdtemp(join(tmpdir(), 'tollgate-troubleshooting-'));
      shell = new Shell(folder, { ...process.env, KEY: RICH['x-api-key'] });
    });
    after(async () => {
      shell?.end();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    it('shows a config that the module refuses as it is', async () => {
      const resources = resourcesOf(policy(), { image: mesh.image });
      (pluginIn(resources)['spec'] as { pluginConfig: { version: number } }).pluginConfig.version = 2;
      await mesh.apply(resources);
      await staysAt(500);
      await follow('500 to everything');
    });

    it('shows the plugin that is there, and a path of no API, as they are', async () => {
      await gateway.rollOut(policy());
      await staysAt(401);
      await follow('Requests pass without a key');
      await follow('404');
    });

    it('shows an image that cannot be pulled as it is', async () => {
      await gateway.rollOut(policy(), { image: `oci://${mesh.registry}/nowhere@${NOWHERE}` });
      await staysAt(403);
      await follow('403 to everything');
    });

    it('has no command to run beside these', () => {
      assert.equal(done, blocksOf(PAGE).filter(({ mark }) => mark === 'run').length);
    });

    function policy(): object {
      return meshPolicy({ targets: [gateway.target] });
    }

    /** Workers take a new listener one after another. */
    async function staysAt(status: number): Promise<void> {
      for (let i = 0; i < 20; i++) await gateway.becomesStatus(status);
    }

    async function follow(section: string): Promise<void> {
      const blocks = blocksOf(PAGE).filter(({ mark, section: own }) => mark === 'run' && own === section);
      assert.equal(blocks.length, 1, section);
      done++;
      for (const { line, command, printed: shown } of blocks.flatMap(stepsOf)) {
        await writeFile(join(folder, 'log'), `${gateway.proxy.log.join('\n')}\n`);
        // again for as long as a worker has not taken the change: curl does not choose its worker
        let printed = '';
        await waitFor(`${PAGE}:${line}`, async () => {
          printed = await shell.run(here(command));
          return isAsShown(shown!, printed);
        }).catch(() => assert.fail(`${PAGE}:${line}: ${command}\nprinted\n${printed}`));
      }
    }

    /** Pods' logs and their agents need a kubelet: the same log and the same page of Envoy's are at hand here. */
    function here(command: string): string {
      return command
        .replace('kubectl logs -n istio-system deployment/istio-ingressgateway', 'cat log')
        .replace(
          /kubectl exec -n istio-system deployment\/istio-ingressgateway -- pilot-agent request GET '(.*?)'/,
          `curl -s 'http://127.0.0.1:${gateway.proxy.admin.port}/$1'`,
        )
        .replace('localhost:8080', `127.0.0.1:${gateway.port}`);
    }
  });
}
