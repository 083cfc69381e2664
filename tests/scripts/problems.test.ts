import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { printProblem, readPolicy } from '../../scripts/policy/index.ts';

const NOW_SECONDS = Date.parse('2026-06-01T00:00:00Z') / 1000;
const EXPECT = '# expect: ';

/** Files whose first line says what their one problem (or warning) is. */
function* specimens(folder: string): Generator<{ file: string; text: string; expected: string }> {
  const url = new URL(`./${folder}/`, import.meta.url);
  for (const file of readdirSync(url).sort()) {
    const text = readFileSync(new URL(file, url), 'utf8');
    const first = text.slice(0, text.indexOf('\n'));
    assert.ok(first.startsWith(EXPECT), `${file} begins with "${EXPECT}"`);
    yield { file, text, expected: `${file}:${first.slice(EXPECT.length)}` };
  }
}

for (const { file, text, expected } of specimens('problems')) {
  test(`refuses ${file}`, () => {
    const { policy, problems } = readPolicy(text, file, NOW_SECONDS);
    assert.equal(policy, null);
    assert.deepEqual(
      problems.map((problem) => printProblem(problem)),
      [expected],
    );
  });
}

for (const { file, text, expected } of specimens('warnings')) {
  test(`warns of ${file}`, () => {
    const { policy, problems, warnings } = readPolicy(text, file, NOW_SECONDS);
    assert.deepEqual(problems, []);
    assert.notEqual(policy, null);
    assert.deepEqual(
      warnings.map((warning) => printProblem(warning)),
      [expected],
    );
  });
}
