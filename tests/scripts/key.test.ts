import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { base62, crc32, fromBase62 } from '../../scripts/policy/secret.ts';
import { digestKey, inspectKey, keyOf, issueKey, unusableRule } from '../../scripts/key/key.ts';

test('CRC-32 gives the known values', () => {
  assert.equal(crc32(''), 0);
  assert.equal(crc32('123456789'), 0xcbf43926);
  assert.equal(crc32('The quick brown fox jumps over the lazy dog'), 0x414fa339);
});

test('CRC-32 agrees with zlib', { skip: !('crc32' in zlib) }, () => {
  const { crc32: theirs } = zlib as unknown as { crc32: (text: string) => number };
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => assert.equal(crc32(text), theirs(text))),
    { seed: 3 },
  );
});

test('base62 comes back as the number it was, in the width asked for', () => {
  assert.equal(base62(0n, 3), '000');
  assert.equal(base62(61n, 1), 'z');
  assert.equal(base62(62n * 62n - 1n, 2), 'zz');
  assert.equal(fromBase62('!'), null);
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 160n - 1n }), (value) => {
      assert.equal(base62(value, 27).length, 27);
      assert.equal(fromBase62(base62(value, 27)), value);
    }),
    { seed: 3 },
  );
});

test('the widths hold every secret and every checksum', () => {
  assert.ok(62n ** 27n >= 2n ** 160n && 62n ** 26n < 2n ** 160n);
  assert.ok(62n ** 6n >= 2n ** 32n && 62n ** 5n < 2n ** 32n);
});

test('a key is tg_, id, _, 27 digits of secret and 6 of checksum over all before', () => {
  const key = keyOf('4f9k2m', Buffer.alloc(20, 0xff));
  const body = `tg_4f9k2m_${base62(2n ** 160n - 1n, 27)}`;
  assert.equal(key, body + base62(BigInt(crc32(body)), 6));
  assert.equal(keyOf('a', Buffer.alloc(20)).slice(0, 32), `tg_a_${'0'.repeat(27)}`);
});

test('new keys differ, have the format, and are digested as everybody digests', () => {
  const keys = Array.from({ length: 200 }, () => issueKey());
  assert.equal(new Set(keys.map(({ key }) => key)).size, keys.length);
  for (const { id, key, digest } of keys) {
    assert.equal(digest, digestKey(key));
    assert.match(key, /^tg_[0-9A-Za-z]{8}_[0-9A-Za-z]{33}$/);
    assert.equal(key.slice(3, 11), id);
    assert.equal(inspectKey(key), 'valid');
    assert.equal(unusableRule(key), null);
    assert.equal(digestKey(key), `sha256:${createHash('sha256').update(key).digest('hex')}`);
  }
});

test('a key with one character changed is mistyped', () => {
  const { key } = issueKey('with_under.score');
  assert.equal(inspectKey(key), 'valid');
  for (let at = 3; at < key.length; at++) {
    const other = key[at] === 'x' ? 'y' : 'x';
    assert.equal(inspectKey(key.slice(0, at) + other + key.slice(at + 1)), 'mistyped');
  }
  assert.equal(inspectKey(key.slice(0, -1)), 'mistyped');
  assert.equal(inspectKey('sk_live_abc'), 'foreign');
});

test('says why no caller could send a string as a key', () => {
  assert.equal(unusableRule(''), 'the key is empty');
  assert.equal(unusableRule('x'.repeat(4097)), 'a key has at most 4096 characters');
  assert.equal(unusableRule('a b'), 'a key holds printable ASCII characters only, without spaces');
  assert.equal(unusableRule('schlüssel'), 'a key holds printable ASCII characters only, without spaces');
  assert.equal(unusableRule('x'.repeat(4096)), null);
  assert.throws(() => digestKey('a b'), { name: 'KeyError', message: unusableRule('a b')! });
});
