import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { type Finished, runToEnd } from '../../scripts/program/run.ts';
import { availableComponents } from '../../harness/components/available.ts';
import type { MeshUnderTest } from './meshUnderTest.ts';

const PLUGIN = {
  apiVersion: 'extensions.istio.io/v1alpha1',
  kind: 'WasmPlugin',
  metadata: { name: 'tollgate-petstore-mesh-waypoint-waypoint', namespace: 'shop' },
};

/** What `diff --live` finds that kubectl itself does not show. */
export function liveTests(mesh: MeshUnderTest): void {
  describe('diff --live', () => {
    let folder: string;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'tollgate-live-'));
      await cp(inPackage('wasmplugins', 'waypoint', 'resources'), folder, { recursive: true });
    });
    after(() => rm(folder, { recursive: true, force: true }));

    it('tells what is not there, what somebody patched in, and nothing of defaults', async (context) => {
      const found = await availableComponents(['kubectl']);
      if (found.skip !== false) return context.skip(found.skip);
      const env = {
        ...process.env,
        KUBECONFIG: mesh.kubeconfig,
        PATH: [dirname(found.paths.kubectl), process.env['PATH']].join(delimiter),
      };
      const diff = (...more: string[]): Promise<Finished> =>
        runToEnd(
          process.execPath,
          [inPackage('scripts', 'bin.mjs'), 'diff', '--live', folder, '--exit-code', ...more],
          { env },
        );
      const apply = async (): Promise<void> =>
        assert.equal((await runToEnd('kubectl', ['apply', '--server-side', '-f', folder], { env })).code, 0);
      const objects = ['HTTPRoute', 'WasmPlugin'].map(
        (kind) => `${kind} shop/tollgate-petstore-mesh-waypoint-waypoint`,
      );
      assert.deepEqual(await diff(), {
        code: 1,
        stdout: objects.map((name) => `${name}: is not in the cluster\n`).join(''),
        stderr: '',
      });
      await apply();
      assert.deepEqual(await diff(), { code: 0, stdout: 'the cluster holds what the files say\n', stderr: '' });

      const {
        metadata: { resourceVersion },
      } = await mesh.kube.get(PLUGIN);
      await mesh.apply([
        {
          ...PLUGIN,
          metadata: { ...PLUGIN.metadata, labels: { mine: 'yes' } },
          spec: { imagePullSecret: 'theirs', vmConfig: { env: [{ name: 'A', value: 'b' }] } },
        },
      ]);
      await apply();
      const { metadata: patched } = await mesh.kube.get(PLUGIN);
      assert.notEqual(patched['resourceVersion'], resourceVersion);
      const { code, stdout } = await diff();
      assert.deepEqual(
        [code, stdout.split('\n').sort()],
        [
          1,
          [
            '',
            `${objects[1]}: metadata.labels.mine: is "yes"; no file says so`,
            `${objects[1]}: spec.imagePullSecret: is "theirs"; no file says so`,
            `${objects[1]}: spec.vmConfig: is {"env":[{"name":"A","value":"b"}]}; no file says so`,
          ].sort(),
        ],
      );
      assert.equal((JSON.parse((await diff('--json')).stdout) as { drifts: object[] }).drifts.length, 3);

      await mesh.apply([{ ...PLUGIN, spec: { priority: 99 } }]);
      assert.match((await diff()).stdout, /: spec\.priority: is 99; the file says 10$/m);
      const after = await mesh.kube.get(PLUGIN);
      await diff();
      assert.deepEqual(await mesh.kube.get(PLUGIN), after, 'nothing is changed');
      await mesh.kube.delete([PLUGIN]);
      assert.equal((await diff()).stdout, `${objects[1]}: is not in the cluster\n`);
    });

    it('says what kubectl says when the cluster cannot be asked', async (context) => {
      const found = await availableComponents(['kubectl']);
      if (found.skip !== false) return context.skip(found.skip);
      const env = {
        ...process.env,
        KUBECONFIG: mesh.kubeconfig,
        PATH: [dirname(found.paths.kubectl), process.env['PATH']].join(delimiter),
      };
      const { code, stderr } = await runToEnd(
        process.execPath,
        [inPackage('scripts', 'bin.mjs'), 'diff', '--live', folder, '--context', 'nowhere'],
        { env },
      );
      assert.equal(code, 1);
      assert.match(stderr, /^kubectl create: error: context "nowhere" does not exist\n$/);
    });
  });
}
