import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { count, drain, hammer, send } from '../../harness/envoy/load.ts';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { ACME, meshPolicy, RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

const LIMIT = 2000;
/** A module's VMs end with their leases unspent: at most a sixteenth of what remains for each of the two workers. */
const LOST_AT_MOST = LIMIT / 8;

export function rolloutTests(mesh: MeshUnderTest): void {
  describe('another digest of the image', () => {
    let gateway: ProxyUnderTest;
    before(async () => {
      gateway = await mesh.gateway('rolling');
      await gateway.rollOut(policy('old'));
      await inForce('old');
    });

    it('rolls the module under traffic without a failed request, and keeps what was counted', async () => {
      const load = { port: gateway.port, connections: 8, headers: ACME };
      const before = await gateway.moduleFile('tollgate-petstore');
      const spent = count(await send(load, 300), 200);
      assert.equal(spent, 300);
      let rolling = true;
      const running = hammer(load, () => rolling);
      const image = await mesh.push('tollgate', { variant: 'next', layout: 'artifact' });
      await gateway.rollOut(policy('new'), { image });
      await inForce('new');
      rolling = false;
      const tally = await running;
      assert.deepEqual(
        [...tally.keys()].filter((status) => status !== 200 && status !== 429),
        [],
      );
      const after = await gateway.moduleFile('tollgate-petstore');
      assert.notEqual(after, before);
      assert.ok(after?.endsWith(`${image.split('sha256:')[1]}.wasm`), String(after));
      const rest = count(await send(load, LIMIT), 200);
      const reached = await drain(load, spent + count(tally, 200) + rest, LIMIT, 1500);
      assert.ok(reached <= LIMIT && reached >= LIMIT - LOST_AT_MOST, `${reached} of ${LIMIT}`);
      assert.deepEqual([...(await send(load, 100))], [[429, 100]]);
    });

    function policy(revision: string): ReturnType<typeof meshPolicy> {
      return meshPolicy({ targets: [gateway.target], limit: LIMIT, revision });
    }

    async function inForce(revision: string): Promise<void> {
      await gateway.becomes(`revision ${revision}`, ({ seen }) => seen?.headers['x-revision'] === revision, {
        headers: RICH,
      });
    }
  });
}
