import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runToEnd } from '../../scripts/program/run.ts';
import { availableComponents } from '../../harness/components/available.ts';
import { hammer, type Tally } from '../../harness/envoy/load.ts';
import { tollgate } from '../scripts/fakeIo.ts';
import { documents, type KubeObject } from '../../harness/mesh/kubeClient.ts';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { meshPolicy, RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

const EDITS = 20;
/** Long after istiod has pushed what came before. */
const WAVE_MS = 400;

/** How the emitted folder reaches the cluster. */
type Apply = (folder: string) => Promise<void>;

/** Routes that come, go and change their names, each edit emitted into the folder of the one before and applied as a whole. */
export function routeEditTests(mesh: MeshUnderTest): void {
  describe(`${EDITS} edits of routes under traffic fail no request`, () => {
    let folder: string;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'tollgate-edits-'));
    });
    after(() => rm(folder, { recursive: true, force: true }));

    it('with kubectl apply -f of the whole folder', async (context) => {
      const found = await availableComponents(['kubectl']);
      if (found.skip !== false) return context.skip(found.skip);
      await edit('edited-by-kubectl', ['--kind', 'WasmPlugin'], async (resources) => {
        const { code, stderr } = await runToEnd(found.paths.kubectl, [
          '--kubeconfig',
          mesh.kubeconfig,
          'apply',
          '--server-side',
          '-f',
          resources,
        ]);
        assert.equal(code, 0, stderr);
      });
    });

    it('with a TrafficExtension, one file after the other by name', async () => {
      await edit('edited-in-turn', ['--kind', 'TrafficExtension'], async (resources) => {
        for (const objects of await filesOf(resources)) await mesh.apply(objects);
      });
    });

    it('with the tables first and the plugin later, as sync waves and dependencies do', async () => {
      await edit('edited-in-waves', [], async (resources) => {
        const files = await filesOf(resources);
        for (const wave of [files.slice(0, -1), files.slice(-1)]) {
          await Promise.all(wave.map((objects) => mesh.apply(objects)));
          await new Promise((resolve) => setTimeout(resolve, WAVE_MS));
        }
      });
    });

    /** In every edit a request with `x-take` goes to v2, by a route whose name is new; one with `x-odd` does in every other. */
    async function edit(name: string, options: string[], apply: Apply): Promise<void> {
      const gateway = await mesh.gateway(name);
      const resources = join(folder, name);
      const roll = async (revision: number): Promise<void> => {
        const policy = join(folder, `${name}.policy.yaml`);
        await writeFile(policy, JSON.stringify(edited(gateway, revision)));
        const { code, err } = await tollgate(['emit', policy, '--image', mesh.image, '-o', resources, ...options]);
        assert.equal(code, 0, err);
        await apply(resources);
        await gateway.becomes(`revision ${revision}`, ({ seen }) => seen?.headers['x-revision'] === String(revision), {
          headers: RICH,
        });
      };
      await roll(0);
      await gateway.becomes('the first table', ({ seen }) => seen?.upstream === 'v2', {
        headers: { ...RICH, 'x-take': 'yes' },
      });
      let editing = true;
      const traffic = [{}, { 'x-take': 'yes' }, { 'x-odd': 'yes' }].map((headers) =>
        hammer({ port: gateway.port, connections: 3, headers: { ...RICH, ...headers } }, () => editing),
      );
      for (let revision = 1; revision <= EDITS; revision++) await roll(revision);
      const last = await gateway.call({ headers: { ...RICH, 'x-take': 'yes' } });
      editing = false;
      const tallies = await Promise.all(traffic);
      assert.equal(last.seen?.headers['x-tollgate-route'], `petstore/r${EDITS}`);
      for (const tally of tallies)
        assert.deepEqual(others(tally), [], `of ${[...tally.values()].reduce((sum, one) => sum + one, 0)} requests`);
    }
  });
}

function edited(gateway: ProxyUnderTest, revision: number): object {
  const policy = meshPolicy({ targets: [gateway.target], limit: 1_000_000, revision: String(revision) });
  const { petstore } = policy.apis;
  const route = (name: string, header: string): object => ({
    name,
    when: { headers: { [header]: 'yes' } },
    upstream: 'v2',
  });
  const routes = [
    route(`r${revision}`, 'x-take'),
    ...(revision % 2 === 1 ? [route(`odd${revision}`, 'x-odd')] : []),
    ...petstore!.routes,
  ];
  return { ...policy, apis: { petstore: { ...petstore, routes } } };
}

function others(tally: Tally): [number, number][] {
  return [...tally].filter(([status]) => status !== 200);
}

/** The objects of each file, in the order of the files' names. */
async function filesOf(folder: string): Promise<KubeObject[][]> {
  const names = (await readdir(folder)).sort();
  return Promise.all(names.map(async (name) => documents(await readFile(join(folder, name), 'utf8'))));
}
