import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { loadCases } from '../cases/load.ts';
import { runCase, skipReason } from '../cases/runner.ts';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyRunner } from './caseRunner.ts';
import { lacking } from '../../harness/registry/component.ts';
import { SettableClock } from '../../harness/envoy/settableClock.ts';

const found = await available();
const runner = new EnvoyRunner(found, await SettableClock.make(), await lacking('openssl'));

describe('cases on a real Envoy', { skip: found.skip }, () => {
  after(() => runner.close());
  for (const test of loadCases()) {
    it(`${test.file}: ${test.name}`, { skip: skipReason(test, runner) ?? false }, async () => {
      assert.deepEqual(await runCase(test, runner), []);
    });
  }
});
