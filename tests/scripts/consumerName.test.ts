import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { consumerNameRule, encodedConsumer } from '../../scripts/policy/index.ts';
import { tollgate } from './fakeIo.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

const folder = scratchFolder();
const seed = Number(process.env['SEED'] ?? 12);

test('names that were valid before stay as they are', () => {
  for (const name of [
    'acme',
    'bob@example.com',
    'a.b_c-d',
    '1e3',
    'auth0|5f7c1a2b',
    'a+b@c.example',
    'us-east-1:5b2e',
    'spiffe://example.org/ns/a=b~c',
  ]) {
    assert.deepEqual([consumerNameRule(name), encodedConsumer(name)], [null, name]);
  }
});

test('refuses what would end a line, hide, or look like another name', () => {
  for (const name of [
    '',
    ' a',
    'a ',
    'a  b',
    '-a',
    '|a',
    'a\tb',
    'a\nb',
    'a\u0000',
    'a\u00a0b',
    'a\u200bb',
    'a\u202eb',
    'a\u2028b',
    'a\ud800',
    'a\ufeff',
    'u\u0308',
    'a\ue000',
  ]) {
    assert.notEqual(consumerNameRule(name), null, JSON.stringify(name));
  }
});

test('an encoded name is one word of safe characters, and gives the name back', () => {
  const names = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(...'aé%2C5 |,*"=&'), maxLength: 20 }),
  );
  fc.assert(
    fc.property(names, (name) => {
      const encoded = encodedConsumer(name);
      fc.pre(consumerNameRule(name) === null);
      assert.match(encoded, /^(?:[A-Za-z0-9._@+|:/=~-]|%[0-9A-F]{2}){1,127}$/);
      assert.equal(decodeURIComponent(encoded), name);
    }),
    { seed, numRuns: 3000 },
  );
});

const POLICY = `policy: shop
apis: { pets: { paths: [/v1], plans: [free] } }
plans: { free: { quotas: { hourly: { limit: 10, window: hour, scope: mesh } } } }
rateLimitService: { cluster: ratelimit }
`;

test('a key is issued to such a name, listed, compiled and revoked', async () => {
  const name = 'Müller, "Söhne" & Co. *';
  const file = scratchFile(folder, POLICY);
  for (const id of ['one', 'two'])
    assert.equal((await tollgate(['keys', 'issue', '--consumer', name, '--plan', 'free', '--id', id, file])).code, 0);
  assert.equal((await tollgate(['keys', 'revoke', '--consumer', name, '--id', 'one', file])).code, 0);
  assert.match((await tollgate(['keys', 'list', file])).out, /^Müller, "Söhne" & Co\. \* {2}one {2}revoked/m);
  const encoded = 'M%C3%BCller%2C%20%22S%C3%B6hne%22%20%26%20Co.%20%2A';
  assert.match((await tollgate(['compile', file])).out, new RegExp(`"name":"${encoded}","plan":"free"`));
});

test('names the rule when --consumer breaks it', async () => {
  const { code, err } = await tollgate(['keys', 'issue', '--consumer', 'a\nb', scratchFile(folder, POLICY)]);
  assert.equal(code, 2);
  assert.match(
    err,
    /^tollgate keys: --consumer must be a name that begins with a letter or digit, without control or invisible characters/,
  );
});
