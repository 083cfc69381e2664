import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, describe, it } from 'node:test';
import { CORE_SCHEMA, load } from 'js-yaml';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { meshPolicy, RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

const ANNOTATION = 'proxy.istio.io/config';

/** Whether the blocks of docs/metrics.md, as they stand there, give labels to proxies that istiod's injector has configured. */
export function statTagTests(mesh: MeshUnderTest): void {
  describe('extraStatTags', () => {
    let blocks: unknown[] = [];
    const block = <T>(field: string): T => {
      const found = blocks.filter((one) => Object.hasOwn(one as object, field));
      assert.equal(found.length, 1, `blocks of docs/metrics.md with ${field}`);
      return (found[0] as Record<string, T>)[field]!;
    };
    before(async () => {
      const page = await readFile(inPackage('docs', 'metrics.md'), 'utf8');
      blocks = [...page.matchAll(/```yaml\n([^]*?)```/g)].map(([, text]) => load(text!, { schema: CORE_SCHEMA }));
    });

    /** A gateway that has decided one request. */
    const counting = async (name: string, annotations: Record<string, string> = {}): Promise<ProxyUnderTest> => {
      const gateway = await mesh.gateway(name, annotations);
      await gateway.rollOut(meshPolicy({ name, targets: [gateway.target], routed: false }));
      await gateway.becomesStatus(401);
      await gateway.call({ headers: RICH });
      return gateway;
    };
    const hasLabels = async (name: string, gateway: ProxyUnderTest): Promise<void> => {
      const of = { policy: name, api: name, plan: 'endless', reason: 'allowed' };
      await gateway.becomesSeries('tollgate_requests_total', of, 1);
      await gateway.becomesSeries('tollgate_info', { policy: name }, 1);
      const info = (await gateway.series()).find((one) => one.name === 'tollgate_info');
      assert.deepEqual(Object.keys(info!.labels).sort(), ['digest', 'policy', 'version']);
    };

    it('of the whole mesh give labels', async () => {
      const { defaultConfig } = block<{ defaultConfig: Record<string, unknown> }>('meshConfig');
      await mesh.withDefaultConfig(defaultConfig, async () => {
        await hasLabels('tagged-mesh', await counting('tagged-mesh'));
      });
    });

    it('of one pod give labels, where the mesh has none', async () => {
      await mesh.withDefaultConfig({}, async () => {
        const long =
          /^policy___untagged___api___untagged___plan___endless___reason___allowed___tollgate_requests_total/m;
        await (await counting('untagged')).becomesStat(long, 'tollgate_requests');
        await hasLabels('tagged-pod', await counting('tagged-pod', block('annotations')));
      });
    });

    it('of one pod stand in place of those of the mesh, and not beside them', async () => {
      await mesh.withDefaultConfig({ extraStatTags: ['policy', 'theirs'] }, async () => {
        const given = { extraStatTags: ['api'] };
        const { extraStatTags } = await mesh.injectedProxyConfig({ [ANNOTATION]: JSON.stringify(given) });
        assert.deepEqual(extraStatTags, given.extraStatTags);
      });
    });
  });
}
