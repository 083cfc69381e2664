import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadCases } from './load.ts';
import { runCase, skipReason, type Runner } from './runner.ts';

/** Declares every case as a test of this runner, file by file; cases that the runner cannot run are skipped by name. */
export function declareCases(runner: Runner): void {
  const cases = loadCases();
  for (const file of new Set(cases.map((test) => test.file))) {
    describe(`${runner.name}: ${file}`, () => {
      for (const test of cases.filter((candidate) => candidate.file === file)) {
        it(test.name, { skip: skipReason(test, runner) ?? false }, async () => {
          const problems = await runCase(test, runner);
          if (problems.length > 0) assert.fail(`\n${problems.join('\n')}`);
        });
      }
    });
  }
}
