import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { count, drain, hammer, send, type Load } from '../../harness/envoy/load.ts';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { ACME, meshPolicy, RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';
import { pluginIn } from './resources.ts';

const LIMIT = 3000;
const CHANGES = 20;

export function changeTests(mesh: MeshUnderTest): void {
  describe('changes of a policy under traffic', () => {
    let gateway: ProxyUnderTest;
    let load: Load;
    before(async () => {
      gateway = await mesh.gateway('changing');
      await rollOut(0);
      load = { port: gateway.port, connections: 8, headers: ACME };
    });

    it(`${CHANGES} of them fail no request, and every counter is kept`, async () => {
      const spent = count(await send(load, 500), 200);
      assert.equal(spent, 500);
      let changing = true;
      const running = hammer(load, () => changing);
      for (let change = 1; change <= CHANGES; change++) await rollOut(change);
      changing = false;
      const tally = await running;
      assert.deepEqual(
        [...tally.keys()].filter((status) => status !== 200 && status !== 429),
        [],
      );
      assert.equal(await drain(load, spent + count(tally, 200), LIMIT), LIMIT);
      assert.deepEqual([...(await send(load, 100))], [[429, 100]]);
    });

    it('counts what was used against a raised limit', async () => {
      await rollOut(CHANGES + 1, LIMIT + 40);
      assert.equal(await drain(load, LIMIT, LIMIT + 40), LIMIT + 40);
      assert.deepEqual([...(await send(load, 40))], [[429, 40]]);
    });

    it('leaves the last good policy in force when the module refuses the next', async () => {
      const policy = meshPolicy({ targets: [gateway.target], limit: LIMIT, revision: 'kept' });
      const plugin = pluginIn(await gateway.rollOut(policy));
      await gateway.becomes('revision kept', ({ seen }) => seen?.headers['x-revision'] === 'kept', { headers: RICH });
      const spec = plugin['spec'] as { pluginConfig: { version: number } };
      spec.pluginConfig.version = 2;
      await mesh.apply([plugin]);
      await gateway.logs(/plugin config: version: this module reads version 1, not 2/);
      const tally = await send({ ...load, headers: RICH }, 100);
      assert.deepEqual([...tally], [[200, 100]]);
      await rollOut(CHANGES + 2);
    });

    /** Resolves when the change is in force. */
    async function rollOut(revision: number, limit = LIMIT): Promise<void> {
      await gateway.rollOut(meshPolicy({ targets: [gateway.target], limit, revision: String(revision) }));
      await gateway.becomes(`revision ${revision}`, ({ seen }) => seen?.headers['x-revision'] === String(revision), {
        headers: RICH,
      });
    }
  });
}
