import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROFILES } from './profile.ts';
import { simulate } from './simulation.ts';

/** A hundred Envoys; `npm run simulate:mesh` takes a thousand. */
const ENVOYS = 100;

describe('a hundred Envoys in virtual time', () => {
  for (const profile of PROFILES) {
    it(`never exceed the limit and use nearly all of it when the load is ${profile.name}`, (t) => {
      const limit = 10_000;
      const seconds = 20;
      const outcome = simulate({
        envoys: ENVOYS,
        limit,
        window: 'minute',
        profile,
        perSecond: (limit * 1.5) / seconds,
        seconds,
        nextSeconds: 3,
        seed: 7,
      });
      const busiest = Math.max(...outcome.callsPerSecond);
      t.diagnostic(
        `${outcome.allowed} of ${limit} allowed; ${outcome.calls} calls for ${outcome.requests} requests, ${busiest} in the busiest second; ${outcome.waited} waited`,
      );
      assert.deepEqual(outcome.faults, []);
      assert.equal(outcome.overshoot, 0);
      assert.ok(outcome.undershoot <= limit * 0.01, `${outcome.undershoot} units not used`);
      assert.ok(outcome.calls <= outcome.requests * 0.5, `${outcome.calls} calls for ${outcome.requests} requests`);
      assert.ok(outcome.waited <= outcome.requests * 0.15, `${outcome.waited} of ${outcome.requests} waited`);
      assert.ok(outcome.peakInFlight <= ENVOYS, 'one call for a counter and Envoy at a time');
      assert.equal(outcome.allowed + outcome.refused + outcome.unavailable, outcome.requests);
    });
  }
});
