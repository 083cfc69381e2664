import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Random } from '../../harness/random.ts';
import { callHttp1, callHttp2, type Caller } from '../../harness/spellings/caller.ts';
import { spelling } from '../../harness/spellings/generate.ts';
import { dissent } from '../../harness/spellings/judge.ts';
import { MANAGERS } from '../../harness/spellings/managers.ts';
import { KEY, POLICIES, policyOf } from '../../harness/spellings/policy.ts';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';

const found = await available();
const SEED = Number(process.env.SEED ?? 20261);
const SPELLINGS = Number(process.env.SPELLINGS ?? 400);
const apis = POLICIES['unmatched: allow']!;

describe('spellings of hosts and paths', { skip: found.skip }, () => {
  for (const [name, connectionManager] of Object.entries(MANAGERS)) {
    describe(`behind a connection manager with ${name}`, () => {
      let test: EnvoyUnderTest;
      before(async () => {
        test = await EnvoyUnderTest.start(policyOf(apis, digestOf(KEY)), found, { concurrency: 1, connectionManager });
      });
      after(() => test?.stop());

      for (const [protocol, open] of [
        ['HTTP/1.1', callHttp1],
        ['HTTP/2', callHttp2],
      ] as const) {
        it(`let no server find another API over ${protocol}`, async (t) => {
          const caller = open(test.port);
          try {
            t.diagnostic(await tryAll(caller));
          } finally {
            caller.close();
          }
        });
      }
    });
  }
});

async function tryAll(caller: Caller): Promise<string> {
  const random = new Random(SEED);
  let passes = 0;
  for (let i = 0; i < SPELLINGS; i++) {
    const given = spelling(random);
    const passed = await caller.send(given);
    if (passed === null) continue;
    passes++;
    assert.deepEqual(
      dissent(apis, passed),
      [],
      `seed ${SEED}, spelling ${i} ${JSON.stringify(given)}, forwarded ${JSON.stringify(passed)}`,
    );
  }
  assert.ok(passes > SPELLINGS / 5, `${passes} of ${SPELLINGS} passed`);
  return `${passes} of ${SPELLINGS} spellings reached the upstream`;
}
