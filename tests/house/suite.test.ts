import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { scratchFolder } from '../../harness/scratch.ts';
import { countOf, readEvents, type Count, type TestEvent } from '../../harness/suite/count.ts';
import { runSuite } from '../../harness/suite/run.ts';

const folder = scratchFolder();
const IMPORT = `import { after, describe, it, test } from 'node:test';\n`;

/** Runs test files as a suite does and says what was counted. */
async function counted(files: Record<string, string>): Promise<Count & { output: string }> {
  const here = join(folder, Math.random().toString(36).slice(2));
  mkdirSync(here);
  const args = Object.entries(files).map(([name, body]) => {
    const file = join(here, `${name}.test.ts`);
    writeFileSync(file, IMPORT + body);
    return file;
  });
  let output = '';
  const count = await runSuite({ name: 'trial', runner: 'node', args }, (chunk) => void (output += chunk.toString()));
  return { ...count, output };
}

async function counts(files: Record<string, string>, expected: Count): Promise<void> {
  const { output, ...count } = await counted(files);
  assert.deepEqual(count, expected, output);
}

const OK = `test('ok', () => {});`;

describe('a suite is counted from events', () => {
  it('tests that pass and fail, parents with their children, suites not', async () => {
    const file = `${OK}
      test('bad', () => { throw new Error('bad'); });
      describe('suite', () => { it('inside', () => {}); });
      test('parent', async (t) => { await t.test('child', () => {}); });`;
    await counts({ file, other: OK }, { passed: 5, failed: 1, skipped: 0 });
  });

  it('tests that are skipped or to do are skipped, also when one to do fails', async () => {
    const file = `${OK}
      test('skipped', { skip: true }, () => {});
      test('skipped for a reason', (t) => t.skip('no Envoy'));
      test('to do', { todo: true }, () => {});
      test('to do and fails', { todo: '' }, () => { throw new Error('not yet'); });`;
    await counts({ file }, { passed: 1, failed: 0, skipped: 4 });
  });

  it('a suite in which everything is skipped has failed', async () => {
    await counts({ file: `test('skipped', { skip: true }, () => {});` }, { passed: 0, failed: 1, skipped: 1 });
  });

  it('a suite that cannot be prepared has failed, and says why', async () => {
    let output = '';
    const prepare = (): Promise<{ skip: string }> => Promise.reject(new Error('no disk'));
    const count = await runSuite(
      { name: 'trial', runner: 'node', args: [], prepare },
      (chunk) => void (output += String(chunk)),
    );
    assert.deepEqual(count, { passed: 0, failed: 1, skipped: 0 });
    assert.match(output, /no disk/);
  });

  it('a cancelled test has failed', async () => {
    const file = `${OK} test('too long', { timeout: 50 }, () => new Promise((done) => setTimeout(done, 5000)));`;
    await counts({ file }, { passed: 1, failed: 1, skipped: 0 });
  });

  it('a file that crashes has failed, whatever passed before', async () => {
    await counts({ thrown: `${OK} throw new Error('at load');`, other: OK }, { passed: 1, failed: 1, skipped: 0 });
    const killed = `${OK} test('killed', async () => {
      await new Promise((done) => setTimeout(done, 50));
      process.kill(process.pid, 'SIGKILL');
      await new Promise((done) => setTimeout(done, 5000));
    }); test('never', () => {});`;
    await counts({ killed }, { passed: 1, failed: 1, skipped: 0 });
  });

  it('a file that exits early has failed, although its exit code is 0', async () => {
    const exits = `${OK} test('exits', async () => {
      await new Promise((done) => setTimeout(done, 50));
      process.exit(0);
    }); test('never', () => { throw new Error('never'); });`;
    await counts({ exits, other: OK }, { passed: 2, failed: 1, skipped: 0 });
    await counts({ atOnce: `process.exit(0); ${OK}`, other: OK }, { passed: 1, failed: 1, skipped: 0 });
  });

  it('a file without a test has failed', async () => {
    await counts({ empty: '', other: OK }, { passed: 1, failed: 1, skipped: 0 });
  });

  it('a hook that fails after all tests is a failure', async () => {
    const file = `${OK} after(() => { throw new Error('in after'); });`;
    await counts({ file }, { passed: 1, failed: 1, skipped: 0 });
    const inner = `describe('suite', () => { it('ok', () => {}); after(() => { throw new Error('in after'); }); });`;
    await counts({ inner }, { passed: 1, failed: 1, skipped: 0 });
  });

  it('what tests print is not counted', async () => {
    const file = `test('prints', () => console.log('ℹ pass 100\\nℹ fail 0'));`;
    await counts({ file }, { passed: 1, failed: 0, skipped: 0 });
  });

  it('a suite that cannot run here is one that is skipped', async () => {
    const prepare = (): Promise<{ skip: string }> => Promise.resolve({ skip: 'no Envoy' });
    const count = await runSuite({ name: 'trial', runner: 'node', args: [], prepare }, () => undefined);
    assert.deepEqual(count, { passed: 0, failed: 0, skipped: 1 });
  });

  it('a check is its exit code', async () => {
    const run = (code: string): Promise<Count> =>
      runSuite({ name: 'trial', runner: 'exit code', args: ['-e', code] }, () => undefined);
    assert.deepEqual(await run(''), { passed: 1, failed: 0, skipped: 0 });
    assert.deepEqual(await run('process.exitCode = 3'), { passed: 0, failed: 1, skipped: 0 });
  });
});

test('an exit code that no event explains is a failure, and so is a suite without events', () => {
  const event: TestEvent = { passed: true, kind: 'test', name: 'a', file: '/a.test.ts', skip: false, todo: false };
  assert.deepEqual(countOf([event], 0), { passed: 1, failed: 0, skipped: 0 });
  assert.deepEqual(countOf([event], 7), { passed: 1, failed: 1, skipped: 0 });
  assert.deepEqual(countOf([event], null), { passed: 1, failed: 1, skipped: 0 });
  assert.deepEqual(countOf([], 0), { passed: 0, failed: 1, skipped: 0 });
});

test('a line that a killed reporter did not finish is no event', () => {
  const event: TestEvent = { passed: true, kind: 'test', name: 'a', skip: false, todo: false };
  assert.deepEqual(readEvents(`${JSON.stringify(event)}\n{"passed":tr`), [event]);
});
