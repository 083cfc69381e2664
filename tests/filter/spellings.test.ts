import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { policyConfig } from '../host/policyConfig.ts';
import { Random } from '../../harness/random.ts';
import { spelling, type Spelling } from '../../harness/spellings/generate.ts';
import { dissent, type Passed } from '../../harness/spellings/judge.ts';
import { KEY, POLICIES, policyOf } from '../../harness/spellings/policy.ts';
import { READERS } from '../../harness/spellings/readers.ts';
import { FilterModule, loadFilter, type Decision } from './filterModule.ts';

/** A new seed for every run of SEED=random; the failure names it. */
const SEED = process.env.SEED === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(process.env.SEED ?? 20260);
const SPELLINGS = Number(process.env.SPELLINGS ?? 6000);
const digest = `sha256:${createHash('sha256').update(KEY).digest('hex')}`;
const module = loadFilter();

describe('spellings of hosts and paths', () => {
  for (const [name, apis] of Object.entries(POLICIES)) {
    it(`let no server find another API than the one that matched, with ${name}`, (t) => {
      const filter = new FilterModule(module);
      assert.equal(filter.configure(policyConfig(policyOf(apis, digest))), null);
      const random = new Random(SEED);
      const reasons = new Map<string, number>();
      for (let i = 0; i < SPELLINGS; i++) {
        const given = spelling(random);
        const { passed, reason } = decide(filter, given);
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        if (passed === null) continue;
        assert.deepEqual(
          dissent(apis, passed),
          [],
          `seed ${SEED}, spelling ${i} ${JSON.stringify(given)}, forwarded ${JSON.stringify(passed)}`,
        );
        assert.deepEqual(
          decide(filter, passed.forwarded).passed,
          passed,
          `seed ${SEED}, spelling ${i} ${JSON.stringify(given)} is judged anew in the form it was forwarded in`,
        );
      }
      t.diagnostic(
        `${[...reasons].map(([reason, count]) => `${reason} ${count}`).join(', ')}; ${READERS.length} readers`,
      );
      for (const reason of ['allowed', 'invalid_path', 'invalid_host'])
        assert.ok(reasons.get(reason)! > SPELLINGS / 50, `${reason} is among the decisions`);
    });
  }
});

function decide(filter: FilterModule, { authority, target }: Spelling): { passed: Passed | null; reason: string } {
  const decision = filter.decide(
    [
      [':authority', authority],
      [':path', target],
      [':method', 'GET'],
      ['x-api-key', KEY],
    ],
    0,
  );
  if (decision.reply !== null) return { passed: null, reason: decision.reason };
  const api = / api=(\S+)/.exec(decision.log)?.[1] ?? null;
  return {
    passed: {
      api,
      forwarded: {
        authority: edited(decision, ':authority') ?? authority,
        target: edited(decision, ':path') ?? target,
      },
    },
    reason: decision.reason,
  };
}

function edited({ edits }: Decision, name: string): string | undefined {
  return edits.find((edit) => edit[0] === 'set' && edit[1] === name)?.[2];
}
