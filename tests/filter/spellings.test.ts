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

/** Operations in the place of APIs: each path and what lies below it, of one API that lets unlisted requests pass. */
const LISTED = {
  gated: { paths: ['/v1', '/admin/users', '/pets/@me'] },
  open: { paths: ['/public', '/pets'] },
  nested: { paths: ['/public/private'] },
};

describe('spellings of operations', () => {
  it('let no server find another operation than the one that matched', (t) => {
    const filter = new FilterModule(module);
    const operations = Object.entries(LISTED).flatMap(([name, { paths }]) =>
      paths.flatMap((path, index) => [
        [`GET ${path}`, { name: `${name}-${index}` }] as const,
        [`GET ${path}/{rest...}`, { name: `${name}-${index}-below` }] as const,
      ]),
    );
    const policy = {
      policy: 'spellings',
      apis: {
        all: {
          paths: ['/'],
          plans: ['gold'],
          unlisted: 'allow',
          operations: Object.fromEntries<{ name: string }>(operations),
        },
      },
      plans: { gold: {} },
      consumers: { acme: { plan: 'gold', keys: [{ id: 'acme-1', digest }] } },
    };
    assert.equal(filter.configure(policyConfig(JSON.stringify(policy))), null);
    const random = new Random(SEED + 1);
    const found = new Map<string, number>();
    for (let i = 0; i < SPELLINGS; i++) {
      const given = spelling(random);
      const { passed, operation } = decide(filter, given);
      if (passed === null) continue;
      // the hosts do not matter here: one that reads the whole target as a host reads no path of this server
      const api = operation?.split('-')[0] ?? null;
      found.set(api ?? 'unlisted', (found.get(api ?? 'unlisted') ?? 0) + 1);
      // the rest of a path goes on as the caller spelt it: a server that decodes nothing may find nothing at all there
      const others = dissent(LISTED, { ...passed, api }).filter(
        (text) => api === null || !text.includes(': no API at '),
      );
      assert.deepEqual(
        others,
        [],
        `seed ${SEED}, spelling ${i} ${JSON.stringify(given)}, forwarded ${JSON.stringify(passed)}`,
      );
    }
    t.diagnostic([...found].map(([name, count]) => `${name} ${count}`).join(', '));
    for (const name of ['gated', 'open', 'nested', 'unlisted']) assert.ok((found.get(name) ?? 0) > 20, name);
  });
});

function decide(
  filter: FilterModule,
  { authority, target }: Spelling,
): { passed: Passed | null; reason: string; operation?: string } {
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
  const operation = / operation=(\S+)/.exec(decision.log)?.[1];
  return {
    passed: {
      api,
      forwarded: {
        authority: edited(decision, ':authority') ?? authority,
        target: edited(decision, ':path') ?? target,
      },
    },
    reason: decision.reason,
    ...(operation !== undefined && { operation }),
  };
}

function edited({ edits }: Decision, name: string): string | undefined {
  return edits.find((edit) => edit[0] === 'set' && edit[1] === name)?.[2];
}
