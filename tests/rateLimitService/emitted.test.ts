import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { serviceConfigOf, serviceConfigText } from '../../scripts/rateLimitService/serviceConfig.ts';
import { readPolicy } from '../../scripts/policy/index.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { realPrograms } from '../../harness/rateLimitService/available.ts';
import { GrpcCaller } from '../../harness/rateLimitService/grpcCaller.ts';
import { decodeAnswer, encodeAsk, Unit, type Entry } from '../../harness/rateLimitService/protocol.ts';
import { RealService } from '../../harness/rateLimitService/realService.ts';

const programs = await realPrograms();
const POLICY = inPackage('tests', 'scripts', 'rateLimitService', 'shop.policy.yaml');

/** The most that the service can hold, for every counter: the policy's limits are the module's. */
const LIMIT = 4_294_967_295;
const WINDOWS: Readonly<Record<string, keyof typeof Unit | null>> = {
  second: 'second',
  minute: 'minute',
  hour: 'hour',
  day: 'day',
  '7d': 'week',
  '30d': 'month',
  '365d': 'year',
  '15m': null,
};
const QUOTAS = ['hourly', 'pets/daily', 'pets/GET/pets/{id}/reads', 'observed:pets/daily', 'no'];
const CONSUMERS = ['somebody', '1e3', 'no', null];

describe('the configuration that tollgate writes', { skip: typeof programs === 'string' ? programs : false }, () => {
  it(
    'is accepted by the real service, and counts every counter for itself and refuses nothing',
    { timeout: 300_000 },
    async () => {
      if (typeof programs === 'string') return;
      const { policy } = readPolicy(await readFile(POLICY, 'utf8'), POLICY);
      const real = await RealService.start(programs, serviceConfigText(serviceConfigOf(policy!)!, 'shop'));
      const caller = new GrpcCaller(real.port);
      try {
        for (const [window, unit] of Object.entries(WINDOWS)) {
          for (const [quota, consumer] of QUOTAS.flatMap((name) => CONSUMERS.map((who) => [name, who] as const))) {
            const entries: Entry[] = [
              ['window', window],
              ['quota', quota],
              ...(consumer === null ? [] : [['consumer', consumer] as const]),
            ];
            const used = async (hits: number): Promise<number> => {
              const answer = await caller.call(encodeAsk('shop', entries, hits));
              assert.ok(Buffer.isBuffer(answer), `status ${String(answer)}`);
              const { limit, remaining } = decodeAnswer(answer).statuses[0]!;
              assert.deepEqual(
                limit,
                unit === null ? undefined : { requestsPerUnit: LIMIT, unit: Unit[unit] },
                JSON.stringify(entries),
              );
              return LIMIT - Number(remaining);
            };
            if (unit === null || unit === 'second') await used(1);
            // a count of its own, which a look does not raise
            else
              assert.deepEqual(
                [await used(0), await used(3), await used(0), await used(2)],
                [0, 3, 3, 5],
                JSON.stringify(entries),
              );
          }
        }
      } finally {
        caller.close();
        await real.stop();
      }
    },
  );
});
