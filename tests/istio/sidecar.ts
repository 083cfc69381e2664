import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { ACME, meshPolicy, RICH } from './policy.ts';
import type { ProxyUnderTest } from './proxyUnderTest.ts';

export function sidecarTests(mesh: MeshUnderTest): void {
  describe('a policy on sidecars', () => {
    let petstore: ProxyUnderTest;
    let other: ProxyUnderTest;
    const workload = (name: string, more: object = {}): object => ({
      workload: { namespace: 'sidecars', selector: { app: name }, ...more },
    });
    before(async () => {
      petstore = await mesh.sidecar('petstore', 'sidecars');
      other = await mesh.sidecar('other', 'sidecars');
      await petstore.becomesStatus(200);
      await other.becomesStatus(200);
    });

    it('guards the inbound traffic of the workload that it selects, and no other', async () => {
      const rolledOut = await petstore.rollOut(
        meshPolicy({ name: 'inbound', targets: [workload('petstore')], limit: 2 }),
      );
      await petstore.becomesStatus(401);
      assert.deepEqual(await statuses(petstore, 3), [200, 200, 429]);
      assert.equal((await petstore.call({ headers: RICH })).seen?.headers['x-tollgate-consumer'], 'rich');
      assert.equal((await other.call()).status, 200);
      await mesh.delete(rolledOut);
      await petstore.becomesStatus(200);
    });

    it('guards only the ports that it names', async () => {
      const there = await petstore.rollOut(
        meshPolicy({ name: 'port', targets: [workload('petstore', { ports: [petstore.port] })] }),
      );
      const elsewhere = await other.rollOut(
        meshPolicy({ name: 'elsewhere', targets: [workload('other', { ports: [other.port + 1] })] }),
      );
      await petstore.becomesStatus(401);
      assert.equal((await other.call()).status, 200);
      await mesh.delete([...there, ...elsewhere]);
      await petstore.becomesStatus(200);
    });

    it('leaves inbound traffic alone when it is for outbound traffic', async () => {
      const outbound = await other.rollOut(
        meshPolicy({
          name: 'outbound',
          targets: [workload('other', { mode: 'CLIENT' })],
          hosts: ['petstore.example.com'],
        }),
      );
      const inbound = await petstore.rollOut(meshPolicy({ name: 'marker', targets: [workload('petstore')] }));
      // istiod has seen both when the later one is in force
      await petstore.becomesStatus(401);
      assert.equal((await other.call()).status, 200);
      await mesh.delete([...outbound, ...inbound]);
      await petstore.becomesStatus(200);
    });

    it('guards every sidecar of a namespace', async () => {
      const all = await petstore.rollOut(meshPolicy({ name: 'everyone', targets: [{ namespace: 'sidecars' }] }));
      for (const sidecar of [petstore, other]) {
        await sidecar.becomesStatus(401);
        assert.equal((await sidecar.call({ headers: RICH })).status, 200);
      }
      await mesh.delete(all);
      for (const sidecar of [petstore, other]) await sidecar.becomesStatus(200);
    });

    it('does the same as a TrafficExtension', async () => {
      const extension = await petstore.rollOut(
        meshPolicy({ name: 'extension', targets: [workload('petstore')], limit: 1 }),
        { kind: 'TrafficExtension' },
      );
      await petstore.becomesStatus(401);
      assert.deepEqual(await statuses(petstore, 2), [200, 429]);
      await mesh.delete(extension);
      await petstore.becomesStatus(200);
    });
  });
}

async function statuses(proxy: ProxyUnderTest, count: number): Promise<number[]> {
  const seen: number[] = [];
  for (let i = 0; i < count; i++) seen.push((await proxy.call({ headers: ACME })).status);
  return seen;
}
