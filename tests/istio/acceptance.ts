import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { Host } from '../../scripts/host/host.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { availableComponents } from '../../harness/components/available.ts';
import { documents, KubeError, type KubeObject } from '../../harness/mesh/kubeClient.ts';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { keys, leaves, withUnknownField, withWrongType, type Mutation, type Steps } from './mutation.ts';

const run = promisify(execFile);

/** Fields whose content Kubernetes and Istio leave to the module. */
const PLUGIN_CONFIG = 'pluginConfig';
/** Maps whose keys are free: a misspelt key is another key. */
const FREE_KEYS = ['matchLabels', 'labels', 'headers', 'data'];

interface Emitted {
  readonly file: string;
  readonly objects: KubeObject[];
}

/** The committed examples: what `tollgate emit` writes, golden. */
async function emitted(): Promise<Emitted[]> {
  const root = inPackage('wasmplugins');
  const files = (await readdir(root, { recursive: true }))
    .filter((name) => name.endsWith('.yaml') && !name.endsWith('policy.yaml'))
    .sort();
  return Promise.all(
    files.map(async (name) => ({
      file: join(root, name),
      objects: documents(await readFile(join(root, name), 'utf8')),
    })),
  );
}

/** What an object says beyond its name: a ConfigMap has data where the others have a spec. */
function body(object: KubeObject): { [field: string]: unknown } {
  return object.spec === undefined ? { data: object.data } : { spec: object.spec };
}

/** A service beside the mesh, that people apply as it is. */
async function ratelimitExample(): Promise<KubeObject[]> {
  const folder = inPackage('examples', 'ratelimit');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.yaml')).sort();
  return (await Promise.all(files.map(async (name) => documents(await readFile(join(folder, name), 'utf8'))))).flat();
}

export function acceptanceTests(mesh: MeshUnderTest): void {
  describe('every emitted resource', () => {
    it('is taken by the API server, strictly', async () => {
      for (const { objects } of await emitted()) await mesh.kube.apply(objects, { dryRun: true });
    });

    it('is taken by the API server, strictly, in examples/ratelimit', async () => {
      const objects = await ratelimitExample();
      assert.ok(objects.length > 5);
      for (const object of objects) {
        await mesh.kube.apply([object], { dryRun: true });
        if (object.spec === undefined) continue;
        const misspelt = withUnknownField(object, ['spec', Object.keys(object.spec as object)[0]!]);
        await assert.rejects(
          mesh.kube.apply([misspelt.object as KubeObject], { dryRun: true }),
          (error) => error instanceof KubeError && isRefusal(error),
          misspelt.name,
        );
      }
    });

    it('is valid to istioctl', async (context) => {
      const found = await availableComponents(['istioctl']);
      if (found.skip !== false) return context.skip(found.skip);
      const files = (await emitted()).flatMap(({ file }) => ['-f', file]);
      const { stdout, stderr } = await run(found.paths.istioctl, ['validate', ...files]);
      assert.doesNotMatch(stdout + stderr, /error|warning/i);
    });

    it('is refused by the API server when one of its values has another type', async () => {
      await refusesAll(mesh, (object) =>
        leaves(body(object))
          .filter(isOwnMatter)
          .map((steps) => withWrongType(object, steps)),
      );
    });

    it('is refused by the API server when one of its fields is misspelt', async () => {
      await refusesAll(mesh, (object) =>
        keys(body(object))
          .filter((steps) => isOwnMatter(steps) && !FREE_KEYS.includes(String(steps.at(-2))))
          .map((steps) => withUnknownField(object, steps)),
      );
    });

    it('holds a plugin config that the module takes, and refuses with any value of another type or field misspelt', async () => {
      const host = new Host(loadModule(modulePath), { workers: 1 });
      const configs = (await emitted())
        .flatMap(({ objects }) => objects)
        .flatMap(({ spec }) => (spec as Record<string, unknown> | undefined)?.[PLUGIN_CONFIG] ?? []);
      assert.ok(configs.length >= 3);
      for (const config of configs) {
        assert.notEqual(host.load(JSON.stringify(config)), null, 'the config itself');
        const wrong = [
          ...leaves(config).map((steps) => withWrongType(config, steps)),
          ...keys(config).map((steps) => withUnknownField(config, steps)),
        ];
        for (const { name, object } of wrong) assert.equal(host.load(JSON.stringify(object)), null, name);
      }
      assert.deepEqual(host.faults, []);
    });
  });
}

function isOwnMatter(steps: Steps): boolean {
  return !steps.includes(PLUGIN_CONFIG) || steps.at(-1) === PLUGIN_CONFIG;
}

/** A server-side apply that does not fit the schema is answered 500 with these words, not 4xx. */
function isRefusal(error: KubeError): boolean {
  return error.status < 500 || error.message.includes('failed to create typed patch object');
}

/** Sees every mutation refused, and tells which were not. */
async function refusesAll(mesh: MeshUnderTest, mutate: (object: KubeObject) => Mutation[]): Promise<void> {
  const taken: string[] = [];
  let tried = 0;
  for (const object of (await emitted()).flatMap(({ objects }) => objects)) {
    for (const { name, object: mutated } of mutate(object)) {
      tried++;
      try {
        await mesh.kube.apply([mutated as KubeObject], { dryRun: true });
        taken.push(`${object.kind} ${object.metadata.name}: ${name}`);
      } catch (error) {
        if (!(error instanceof KubeError) || !isRefusal(error)) throw error;
      }
    }
  }
  assert.ok(tried > 50, `${tried} mutations`);
  assert.deepEqual(taken, []);
}
