import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allAttacks } from '../../attack/attacks/all.ts';
import { describe as figuresOf, timeOf } from '../../attack/campaign.ts';
import { runAttack } from '../../attack/trial.ts';
import { available } from '../../harness/envoy/available.ts';

const found = await available();
/** All attacks together, at every run of the tests; `npm run attack` takes ten times as long. */
const TOTAL_MS = 60_000;

describe('attacks', { skip: found.skip }, () => {
  // `npm run attack` draws others
  const seed = Number(process.env['SEED'] ?? 12);
  for (const attack of allAttacks) {
    it(`${attack.name}: ${attack.tries}`, async (t) => {
      const outcome = await runAttack(attack, { seed, ms: timeOf(attack, allAttacks, TOTAL_MS), found });
      t.diagnostic(figuresOf(outcome));
      assert.equal(
        outcome.fault,
        null,
        `${outcome.fault}\nto try it again: npm run attack -- --seed ${seed} --only ${attack.name}`,
      );
    });
  }
});
