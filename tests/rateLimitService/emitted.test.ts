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

/** What the service must say of each counter of that policy: the limit and the unit, or nothing. */
const COUNTERS: readonly (readonly [entries: readonly Entry[], limit: number | null, unit: keyof typeof Unit])[] = [
  [
    [
      ['plan', 'no'],
      ['quota', 'hourly'],
      ['consumer', 'somebody'],
    ],
    100,
    'hour',
  ],
  [
    [
      ['plan', 'no'],
      ['quota', 'hourly'],
      ['consumer', '1e3'],
    ],
    200,
    'hour',
  ],
  [
    [
      ['plan', 'no'],
      ['quota', 'daily'],
      ['api', 'pets'],
      ['consumer', 'somebody'],
    ],
    4_294_967_295,
    'day',
  ],
  [
    [
      ['plan', 'no'],
      ['quota', 'daily'],
      ['api', 'pets'],
      ['consumer', 'Yes'],
    ],
    8,
    'day',
  ],
  [
    [
      ['plan', 'no'],
      ['quota', 'daily'],
      ['api', 'orders'],
      ['consumer', 'Yes'],
    ],
    4_294_967_295,
    'day',
  ],
  [
    [
      ['plan', 'gold'],
      ['quota', 'weekly'],
      ['consumer', 'acme'],
    ],
    7,
    'week',
  ],
  [
    [
      ['plan', 'gold'],
      ['quota', 'weekly'],
      ['consumer', 'Yes'],
    ],
    70,
    'week',
  ],
  [
    [
      ['plan', 'gold'],
      ['quota', 'monthly'],
      ['consumer', 'acme'],
    ],
    30,
    'month',
  ],
  [
    [
      ['plan', 'no'],
      ['quota', 'here'],
      ['consumer', 'somebody'],
    ],
    null,
    'second',
  ],
];

describe('the configuration that tollgate writes', { skip: typeof programs === 'string' ? programs : false }, () => {
  it('is accepted by the real service, and gives every counter its limit', { timeout: 300_000 }, async () => {
    if (typeof programs === 'string') return;
    const { policy } = readPolicy(await readFile(POLICY, 'utf8'), POLICY);
    const real = await RealService.start(programs, serviceConfigText(serviceConfigOf(policy!)!, 'shop'));
    const caller = new GrpcCaller(real.port);
    try {
      for (const [entries, limit, unit] of COUNTERS) {
        const answer = await caller.call(encodeAsk('shop', entries, 1));
        assert.ok(Buffer.isBuffer(answer), `status ${String(answer)}`);
        const expected = limit === null ? undefined : { requestsPerUnit: limit, unit: Unit[unit] };
        assert.deepEqual(decodeAnswer(answer).statuses[0]!.limit, expected, JSON.stringify(entries));
      }
    } finally {
      caller.close();
      await real.stop();
    }
  });
});
