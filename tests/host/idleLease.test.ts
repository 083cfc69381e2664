import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ask, openHost } from './quotaHost.ts';

describe('a lease that nobody spends from', () => {
  for (const others of [0, 30_000]) {
    it(`goes back within 0.75 s with ${others} other consumers active lately`, () => {
      const limit = 12_000;
      const host = openHost(2, [{ name: 'q', limit, window: 'day' }], others + 1);
      for (let consumer = 1; consumer <= others; consumer++) ask(host, 0, consumer);
      // Fast enough for a lease of many units, most of which the first worker then holds.
      for (let i = 0; i < 2000; i++) {
        assert.ok(ask(host, 0));
        if (i % 10 === 0) host.pass(1);
      }
      host.pass(750);
      let passed = 2000;
      for (let i = 0; i < limit && ask(host, 1); i++) passed++;
      assert.equal(passed, limit);
    });
  }
});
