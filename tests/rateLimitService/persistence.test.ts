import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it, test } from 'node:test';
import { documents } from '../../harness/mesh/kubeClient.ts';
import { available } from '../../harness/envoy/available.ts';
import { realPrograms } from '../../harness/rateLimitService/available.ts';
import { GrpcCaller } from '../../harness/rateLimitService/grpcCaller.ts';
import { entriesOf, POLICY, rulesOf, type MeshQuota } from '../../harness/rateLimitService/meshPolicy.ts';
import { Code, decodeAnswer, encodeAsk, type Entry } from '../../harness/rateLimitService/protocol.ts';
import { RealService } from '../../harness/rateLimitService/realService.ts';
import { withService } from './proving.ts';
import { pause, steadyUnit } from './steady.ts';
import { ask, tallyOf } from './traffic.ts';

const programs = await realPrograms();
const found = await available();
const skip = typeof programs === 'string' ? programs : false;
const LIMIT = 50;
const QUOTAS: MeshQuota[] = [
  { name: 'q', limit: LIMIT, window: steadyUnit() },
  { name: 'other', limit: 100_000, window: 'day' },
];

interface Container {
  readonly args: readonly string[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}
interface StatefulSet {
  readonly template: { readonly spec: { readonly containers: readonly Container[] } };
  readonly volumeClaimTemplates: readonly { readonly metadata: { readonly name: string } }[];
}

/** The Redis of examples/ratelimit, as the file for Kubernetes has it. */
function exampleRedis(): StatefulSet {
  const text = readFileSync(new URL('../../examples/ratelimit/redis.yaml', import.meta.url), 'utf8');
  return documents(text).find(({ kind }) => kind === 'StatefulSet')!.spec as StatefulSet;
}
const EXAMPLE = exampleRedis().template.spec.containers[0]!;

function start(redisArgs?: readonly string[]): Promise<RealService> {
  if (typeof programs === 'string') throw new Error(programs);
  return RealService.start(
    programs,
    { domain: POLICY, rules: rulesOf(QUOTAS).map((rule, i) => ({ ...rule, limit: QUOTAS[i]!.limit })) },
    redisArgs,
  );
}

const [LIMITED, OTHER] = QUOTAS.map(({ window, name }) => entriesOf(window, name)) as [Entry[], Entry[]];

/** After a restart, each of the service's connections to Redis fails once: asks for something else until none does. */
async function reconnected(caller: GrpcCaller): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (let good = 0; good < 40; good++) {
    if (!Buffer.isBuffer(await caller.call(encodeAsk(POLICY, OTHER, 1)))) good = 0;
    assert.ok(Date.now() < deadline, 'the service finds its Redis again');
    await pause(5);
  }
}

test('the Redis of the example writes to a volume of its own', () => {
  const { volumeClaimTemplates } = exampleRedis();
  // the image works in /data and its file of changes lies there
  assert.deepEqual(EXAMPLE.volumeMounts, [{ name: 'data', mountPath: '/data' }]);
  assert.deepEqual(
    volumeClaimTemplates.map(({ metadata }) => metadata.name),
    ['data'],
  );
});

describe('a Redis that restarts', { skip }, () => {
  const table: [
    what: string,
    redisArgs: readonly string[] | undefined,
    ends: 'crashRedis' | 'killRedis',
    left: number,
  ][] = [
    ["keeps every count with the example's settings when it crashes", EXAMPLE.args, 'crashRedis', 10],
    ["keeps every count with the example's settings when it is told to stop", EXAMPLE.args, 'killRedis', 10],
    ['begins at zero without them: the whole limit is there anew', undefined, 'killRedis', LIMIT],
  ];
  for (const [what, redisArgs, ends, left] of table) {
    it(what, { timeout: 300_000 }, async () => {
      const real = await start(redisArgs);
      const caller = new GrpcCaller(real.port);
      const take = async (): Promise<boolean> => {
        const answer = await caller.call(encodeAsk(POLICY, LIMITED, 1));
        assert.ok(Buffer.isBuffer(answer), `status ${String(answer)}`);
        return decodeAnswer(answer).overallCode === Code.ok;
      };
      try {
        for (let i = 0; i < LIMIT - 10; i++) assert.ok(await take());
        for (let restart = 0; restart < 2; restart++) {
          await real[ends]();
          await real.startRedis();
          await reconnected(caller);
          const charged = left === LIMIT ? 0 : LIMIT - left;
          assert.equal(await real.charged('quota_q'), charged, `charged after restart ${restart + 1}`);
        }
        let more = 0;
        while (more <= LIMIT && (await take())) more++;
        assert.equal(more, left);
      } finally {
        caller.close();
        await real.stop();
      }
    });
  }
});

describe('an Envoy whose Redis crashes', { skip: found.skip !== false ? found.skip : skip }, () => {
  it("lets no more than the limit through with the example's settings", { timeout: 300_000 }, async (t) => {
    const setting = { quotas: QUOTAS.slice(0, 1), envoys: 1, timeoutMs: 300 };
    await withService(
      () => start(EXAMPLE.args),
      found,
      setting,
      async ([envoy], real) => {
        let allowed = 0;
        const send = async (count: number): Promise<Record<number, number>> => {
          const tally = tallyOf(await ask(envoy!, count));
          allowed += tally[200] ?? 0;
          return tally;
        };
        await send(30);
        await real.crashRedis();
        await real.startRedis();
        const deadline = Date.now() + 40_000;
        let last: Record<number, number> = {};
        // 503 until the service is found again, then what is left, then 429
        while (last[429] !== 10) {
          assert.ok(Date.now() < deadline, JSON.stringify(last));
          last = await send(10);
          await pause(100);
        }
        t.diagnostic(`${allowed} of ${LIMIT} allowed`);
        assert.ok(allowed > 30 && allowed <= LIMIT, `${allowed} of ${LIMIT}`);
      },
    );
  });
});
