import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allAttacks } from '../../attack/attacks/all.ts';
import { timeOf } from '../../attack/campaign.ts';
import { Fault, type Attack } from '../../attack/form.ts';
import { readOptions, type Options } from '../../attack/option.ts';
import { runAttack } from '../../attack/trial.ts';

const nowhere = { skip: 'no Envoy is needed' };

function attackThat(run: Attack['run']): Attack {
  return { name: 'tried', tries: 'whatever', run };
}

test('reads its options, and refuses what it does not know', () => {
  const { minutes, seed, attacks } = readOptions(['--minutes', '3', '--seed', '7']) as Options;
  assert.deepEqual([minutes, seed, attacks], [3, 7, allAttacks]);
  assert.equal(readOptions(['--list']), 'list');
  assert.deepEqual((readOptions(['--only', allAttacks[0]!.name]) as Options).attacks, [allAttacks[0]]);
  assert.throws(() => readOptions(['--only', 'resets,none']), /--only: no attack "none"; there are /);
  assert.throws(() => readOptions(['--minutes', '0']), /--minutes is a number from 1 to 10000; found "0"/);
});

test('every attack has a name of its own, and the times add up', () => {
  assert.equal(new Set(allAttacks.map(({ name }) => name)).size, allAttacks.length);
  const sum = allAttacks.reduce((total, attack) => total + timeOf(attack, allAttacks, 60_000), 0);
  assert.ok(Math.abs(sum - 60_000) < 1);
});

test('the same seed tries the same things, and another seed or name others', async () => {
  const drawn = async (seed: number, name: string): Promise<number> => {
    let number = 0;
    await runAttack(
      { ...attackThat(async ({ random }) => void (number = random.next())), name },
      { seed, ms: 10, found: nowhere },
    );
    return number;
  };
  assert.equal(await drawn(1, 'a'), await drawn(1, 'a'));
  assert.notEqual(await drawn(1, 'a'), await drawn(2, 'a'));
  assert.notEqual(await drawn(1, 'a'), await drawn(1, 'b'));
});

test('an attack that throws has found a fault, and what it opened is closed', async () => {
  const closed: string[] = [];
  const outcome = await runAttack(
    attackThat(async ({ cleanUp, count }) => {
      cleanUp(async () => closed.push('first'));
      cleanUp(async () => closed.push('second'));
      count('requests', 2);
      throw new Fault('a door is open');
    }),
    { seed: 1, ms: 10, found: nowhere },
  );
  assert.equal(outcome.fault, 'a door is open');
  assert.deepEqual([...outcome.counts], [['requests', 2]]);
  assert.deepEqual(closed, ['second', 'first']);
});

test('an attack that tries nothing has not held', async () => {
  const outcome = await runAttack(
    attackThat(async () => undefined),
    { seed: 1, ms: 10, found: nowhere },
  );
  assert.equal(outcome.fault, 'it tried nothing');
});
