import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import type { MetricName } from '../../scripts/contract/metrics.ts';
import { waitFor } from '../../harness/mesh/wait.ts';
import { FakeService, type Fault } from '../../harness/rateLimitService/fakeService.ts';
import { MeshEnvoy } from '../../harness/rateLimitService/meshEnvoy.ts';
import { entriesOf, meshConfig, POLICY, rulesOf, type MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import { encodeAnswer } from '../../harness/rateLimitService/protocol.ts';
import { steadyUnit } from './steady.ts';
import { ask, tallyOf } from './traffic.ts';
import { WRONG_ANSWERS } from '../../harness/rateLimitService/wrongAnswers.ts';

const WINDOW = steadyUnit();
const found = await available();

const FAULTS: Record<string, (fake: FakeService) => Fault> = {
  hangs: () => ({ kind: 'hang' }),
  'resets the stream': () => ({ kind: 'reset' }),
  'says UNAVAILABLE': () => ({ kind: 'status', status: 14 }),
  'says UNIMPLEMENTED': () => ({ kind: 'status', status: 12 }),
  'answers 404': () => ({ kind: 'httpStatus', status: 404 }),
  'ends without a message': () => ({ kind: 'noMessage' }),
  'sends a frame that is longer than its message': () => ({ kind: 'frame', bytes: Buffer.from([0, 0, 0, 1, 0, 8, 1]) }),
};
for (const [what, answer] of Object.entries(WRONG_ANSWERS)) {
  FAULTS[`answers with ${what}`] = (fake) => ({
    kind: 'bytes',
    get bytes() {
      return typeof answer === 'function'
        ? answer(
            encodeAnswer(
              fake.model.ask(
                {
                  domain: POLICY,
                  descriptors: [entriesOf(WINDOW, 'q', 'other')],
                  hits: 1,
                  ownHits: [],
                  otherFields: [],
                },
                Date.now(),
              ),
            ),
          )
        : answer;
    },
  });
}

describe('a service that answers wrongly', { skip: found.skip }, () => {
  it('causes no grant and no trap, and shows in the metrics', { timeout: 300_000 }, async () => {
    const quotas: MeshQuota[] = [{ name: 'q', limit: 1000, window: WINDOW }];
    const fake = await FakeService.start(POLICY, rulesOf(quotas));
    let envoy: MeshEnvoy | null = null;
    try {
      envoy = await MeshEnvoy.start(found, meshConfig(quotas, { policy: 'begin' }), fake.port);
      for (const [i, [what, fault]] of Object.entries(FAULTS).entries()) {
        // A policy of another name knows nothing of the failures before.
        const policy = `policy-${i}`;
        fake.fault = null;
        await envoy.edit(meshConfig(quotas, { policy, domain: POLICY }));
        fake.fault = fault(fake);
        const answers = await ask(envoy, 30);
        assert.deepEqual(tallyOf(answers), { 503: 30 }, what);
        assert.deepEqual(envoy.complaints, [], what);
        // A call that hangs fails when its time is up, later than the requests that waited for it.
        const metric = (name: MetricName): Promise<number> => envoy!.metric(name, {}, policy);
        await waitFor(`${what}: the metrics`, async () => {
          const denied = await metric('tollgate_quota_unavailable_total');
          const failed = await metric('tollgate_rate_limit_service_failures_total');
          return denied === 30 && failed + (await metric('tollgate_rate_limit_service_unlimited_total')) > 0;
        });
        assert.equal(await metric('tollgate_rate_limit_service_granted_units_total'), 0, what);
      }
      fake.fault = null;
      // long enough for a machine that does other things too
      await envoy.edit(meshConfig(quotas, { policy: 'end', domain: POLICY, timeoutMs: 1000 }));
      assert.deepEqual(tallyOf(await ask(envoy, 30)), { 200: 30 });
    } finally {
      await envoy?.stop();
      await fake.stop();
    }
  });
});
