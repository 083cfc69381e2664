import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_KEY_BYTES } from '../../scripts/key/key.ts';
import { pluginConfig } from '../../harness/config.ts';
import { FilterModule } from './filterModule.ts';

const LONGEST = 17;

test('a key of printable ASCII is looked up, one with any other byte is malformed, wherever the byte stands', () => {
  const filter = new FilterModule();
  assert.equal(filter.configure(JSON.stringify(pluginConfig([]))), null);
  for (let length = 1; length <= LONGEST; length++) {
    for (let at = 0; at < length; at++) {
      for (let byte = 1; byte < 256; byte++) {
        // Spaces around a key are not part of it.
        if ((byte === 0x20 || byte === 0x09) && (at === 0 || at === length - 1)) continue;
        const key = `${'k'.repeat(at)}${String.fromCharCode(byte)}${'k'.repeat(length - at - 1)}`;
        const { reason } = filter.decide(
          [
            [':path', '/v1'],
            [':method', 'GET'],
            ['x-api-key', key],
          ],
          0,
        );
        const wanted = byte > 0x20 && byte < 0x7f ? 'unknown_api_key' : 'malformed_api_key';
        assert.equal(reason, wanted, `byte 0x${byte.toString(16)} at ${at} of ${length}`);
      }
    }
  }
});

test('the longest key that the tool digests is looked up, a longer one is malformed', () => {
  const filter = new FilterModule();
  assert.equal(filter.configure(JSON.stringify(pluginConfig([]))), null);
  const reasonOf = (length: number): string =>
    filter.decide(
      [
        [':path', '/v1'],
        [':method', 'GET'],
        ['x-api-key', 'k'.repeat(length)],
      ],
      0,
    ).reason;
  assert.equal(reasonOf(MAX_KEY_BYTES), 'unknown_api_key');
  assert.equal(reasonOf(MAX_KEY_BYTES + 1), 'malformed_api_key');
});
