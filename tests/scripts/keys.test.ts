import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { digestKey, issueKey } from '../../scripts/key/key.ts';
import { listKeys } from '../../scripts/cli/keys/list.ts';
import { readLine } from '../../scripts/cli/keys/prompt.ts';
import { readPolicy } from '../../scripts/policy/index.ts';
import { tollgate } from './fakeIo.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

const folder = scratchFolder();
const ONE = `sha256:${'1'.repeat(64)}`;
const TWO = `sha256:${'2'.repeat(64)}`;
const HEAD = 'policy: shop\nplans: { free: }\n';

const revocations: { name: string; before: string; after: string }[] = [
  {
    name: 'in a block',
    before: `${HEAD}consumers:\n  acme:\n    keys:\n      - id: one # old\n        digest: ${ONE} # long\n      - id: two\n        digest: ${TWO}\n`,
    after: `${HEAD}consumers:\n  acme:\n    keys:\n      - id: one # old\n        digest: ${ONE} # long\n        revoked: true\n      - id: two\n        digest: ${TWO}\n`,
  },
  {
    name: 'in braces',
    before: `${HEAD}consumers: { acme: { keys: [{ digest: "${ONE}", id: one }] } }\n`,
    after: `${HEAD}consumers: { acme: { keys: [{ digest: "${ONE}", id: one, revoked: true }] } }\n`,
  },
  {
    name: 'in JSON',
    before: JSON.stringify({ policy: 'shop', consumers: { acme: { keys: [{ id: 'one', digest: ONE }] } } }),
    after: `{"policy":"shop","consumers":{"acme":{"keys":[{"id":"one","digest":"${ONE}", "revoked": true}]}}}`,
  },
  {
    name: 'where it says false',
    before: `${HEAD}consumers:\n  acme:\n    keys:\n      - revoked: false # yet\n        id: one\n        digest: ${ONE}\n`,
    after: `${HEAD}consumers:\n  acme:\n    keys:\n      - revoked: true # yet\n        id: one\n        digest: ${ONE}\n`,
  },
  {
    name: 'at the end of a file without a line break, with CRLF',
    before: `policy: shop\r\nconsumers:\r\n  acme:\r\n    keys:\r\n    - id: one\r\n      digest: ${ONE}`,
    after: `policy: shop\r\nconsumers:\r\n  acme:\r\n    keys:\r\n    - id: one\r\n      digest: ${ONE}\r\n      revoked: true`,
  },
];

for (const { name, before, after } of revocations) {
  test(`revokes a key ${name}, once`, async () => {
    const file = scratchFile(folder, before);
    const first = await tollgate(['keys', 'revoke', '--id', 'one', file]);
    assert.deepEqual(first, { code: 0, out: '', err: `key one of consumer acme is revoked in ${file}\n` });
    assert.equal(readFileSync(file, 'utf8'), after);
    const second = await tollgate(['keys', 'revoke', '--id', 'one', '--consumer', 'acme', file]);
    assert.deepEqual(second, { code: 0, out: '', err: 'key one of consumer acme was revoked before\n' });
    assert.equal(readFileSync(file, 'utf8'), after);
  });
}

test('asks which consumer when several have a key of the id', async () => {
  const file = scratchFile(
    folder,
    `${HEAD}consumers:\n  acme: { keys: [{ id: one, digest: "${ONE}" }] }\n  globex: { keys: [{ id: one, digest: "${TWO}" }] }\n`,
  );
  const either = await tollgate(['keys', 'revoke', '--id', 'one', file]);
  assert.deepEqual(
    [either.code, either.err],
    [1, 'several consumers have a key "one" (acme, globex); say which with --consumer\n'],
  );
  assert.equal((await tollgate(['keys', 'revoke', '--id', 'one', '--consumer', 'globex', file])).code, 0);
  assert.match(readFileSync(file, 'utf8'), /globex: \{ keys: \[\{ id: one, digest: "[^"]+", revoked: true \}\] \}\n$/);
  const none = await tollgate(['keys', 'revoke', '--id', 'two', file]);
  assert.deepEqual([none.code, none.err], [1, 'no key "two"; tollgate keys list shows all\n']);
  assert.equal((await tollgate(['keys', 'revoke', file])).code, 2);
});

const LISTED = `${HEAD}consumers:
  acme:
    keys:
      - { id: plain, digest: "${ONE}" }
      - { id: timed, digest: "${TWO}", from: 2026-01-01T00:00:00Z, until: 2026-02-01T00:00:00Z }
      - { id: gone, digest: "sha256:${'3'.repeat(64)}", revoked: true, until: 2026-01-01T00:00:00Z }
`;

test('knows the state of a key at a time: from is included, until is not', () => {
  const { policy } = readPolicy(LISTED, 'p');
  const states = (time: string): string[] => listKeys(policy!, Date.parse(time) / 1000).map(({ state }) => state);
  assert.deepEqual(states('2025-12-31T23:59:59Z'), ['active', 'inactive', 'revoked']);
  assert.deepEqual(states('2026-01-01T00:00:00Z'), ['active', 'active', 'revoked']);
  assert.deepEqual(states('2026-01-31T23:59:59Z'), ['active', 'active', 'revoked']);
  assert.deepEqual(states('2026-02-01T00:00:00Z'), ['active', 'expired', 'revoked']);
});

test('lists keys as a table, as JSON, and says when there are none', async () => {
  const file = scratchFile(folder, LISTED.replace('2026-02-01', '2026-01-02'));
  const table = await tollgate(['keys', 'list', file]);
  assert.deepEqual(table, {
    code: 0,
    err: '',
    out: `CONSUMER  ID     STATE    FROM                  UNTIL
acme      plain  active   -                     -
acme      timed  expired  2026-01-01T00:00:00Z  2026-01-02T00:00:00Z
acme      gone   revoked  -                     2026-01-01T00:00:00Z
`,
  });
  const json = JSON.parse((await tollgate(['keys', 'list', file, '--json'])).out) as unknown[];
  assert.deepEqual(json[2], { consumer: 'acme', id: 'gone', state: 'revoked', until: '2026-01-01T00:00:00Z' });
  const empty = scratchFile(folder, HEAD);
  assert.deepEqual(await tollgate(['keys', 'list', empty]), { code: 0, out: '', err: 'no keys\n' });
  assert.deepEqual(await tollgate(['keys', 'list', empty, '--json']), { code: 0, out: '[]\n', err: '' });
});

test('lists what keys are limited to, where some are', async () => {
  const limited = `${HEAD}apis: { pets: { paths: [/v1] }, toys: { paths: [/v2] } }
consumers:
  beta:
    scopes: [read]
    keys:
      - { id: all, digest: "${ONE}" }
      - { id: few, digest: "${TWO}", apis: [pets, toys], scopes: [read], addresses: { allow: [10.0.0.0/8], deny: [10.1.0.0/16] } }
`;
  const file = scratchFile(folder, limited);
  const { out, err } = await tollgate(['keys', 'list', file]);
  assert.equal(err, '');
  assert.equal(
    out,
    `CONSUMER  ID   STATE   FROM  UNTIL  APIS       SCOPES  ADDRESSES
beta      all  active  -     -      -          -       -
beta      few  active  -     -      pets toys  read    10.0.0.0/8 !10.1.0.0/16
`,
  );
  const json = JSON.parse((await tollgate(['keys', 'list', file, '--json'])).out) as unknown[];
  assert.deepEqual(json[1], {
    ...{ consumer: 'beta', id: 'few', state: 'active', apis: ['pets', 'toys'], scopes: ['read'] },
    addresses: { allow: ['10.0.0.0/8'], deny: ['10.1.0.0/16'] },
  });
});

test('digests a key from standard input, without its line break', async () => {
  for (const stdin of ['old-key', 'old-key\n', 'old-key\r\n']) {
    assert.deepEqual(await tollgate(['keys', 'digest'], { stdin }), {
      code: 0,
      out: `${digestKey('old-key')}\n`,
      err: '',
    });
  }
});

test('digests what Windows writes, or says what is wrong with it', async () => {
  assert.equal(
    (await tollgate(['keys', 'digest', '-'], { stdin: '\ufeffold-key\r\n' })).out,
    `${digestKey('old-key')}\n`,
  );
  const utf16 = await tollgate(['keys', 'digest'], { stdin: Buffer.from('\ufeffold-key\r\n', 'utf16le') });
  assert.deepEqual([utf16.code, utf16.out], [1, '']);
  assert.match(utf16.err, /^standard input: must be UTF-8; this is UTF-16, which ">" of Windows PowerShell writes/);
});

test('digests one key, and says when there are several lines', async () => {
  const { code, out, err } = await tollgate(['keys', 'digest'], { stdin: 'one\ntwo\n' });
  assert.deepEqual([code, out, err], [1, '', 'standard input must hold one key on one line; found 2 lines\n']);
});

test('names the option that is missing', async () => {
  assert.equal(
    (await tollgate(['keys', 'issue', 'p.yaml'])).err,
    'tollgate keys: needs --consumer NAME; see tollgate keys --help\n',
  );
  assert.equal(
    (await tollgate(['keys', 'revoke', 'p.yaml'])).err,
    'tollgate keys: needs --id ID; see tollgate keys --help\n',
  );
});

test('lists a policy from standard input, and changes none there', async () => {
  assert.match((await tollgate(['keys', 'list', '-'], { stdin: LISTED })).out, /^acme {6}gone {3}revoked/m);
  for (const args of [
    ['issue', '--consumer', 'acme'],
    ['revoke', '--id', 'one'],
  ]) {
    const { code, err } = await tollgate(['keys', ...args, '-'], { stdin: LISTED });
    assert.deepEqual(
      [code, err],
      [
        2,
        'tollgate keys: changes POLICY in its place, so it must be a file; - is standard input; see tollgate keys --help\n',
      ],
    );
  }
});

test('warns of a key of our own that is mistyped', async () => {
  const { key } = issueKey();
  assert.equal((await tollgate(['keys', 'digest'], { stdin: key })).err, '');
  const { code, out, err } = await tollgate(['keys', 'digest'], { stdin: key.slice(0, -1) });
  assert.deepEqual([code, out], [0, `${digestKey(key.slice(0, -1))}\n`]);
  assert.equal(err, 'warning: the key begins with tg_ but its checksum is wrong; it may be mistyped or cut off\n');
});

test('refuses to digest what no caller could send, without repeating it', async () => {
  for (const stdin of ['', '\n', 'two words', 'one\ntwo\n', 'x'.repeat(4097), 'schlüssel']) {
    const { code, out, err } = await tollgate(['keys', 'digest'], { stdin });
    assert.deepEqual([code, out], [1, '']);
    assert.ok(stdin.trim() === '' || !err.includes(stdin.trim()));
  }
});

test('takes no key as an argument, says why, and does not repeat it', async () => {
  const { code, out, err } = await tollgate(['keys', 'digest', 'my-secret-key']);
  assert.deepEqual([code, out], [2, '']);
  assert.match(err, /takes no key as an argument, because the shell's history and the list of processes would show it/);
  assert.ok(!err.includes('my-secret-key'));
});

test('reads a hidden line as a terminal sends it', async () => {
  const typed = (text: string): Promise<string> => readLine(Readable.from([...text]));
  assert.equal(await typed('abx\u007fc\r'), 'abc');
  assert.equal(await typed('\u007fkey\u0004'), 'key');
  assert.equal(await typed('key'), 'key');
  await assert.rejects(typed('ab\u0003'), /stopped; no key was read/);
});

test('keys without or with an unknown word is wrong usage', async () => {
  assert.deepEqual(await tollgate(['keys']), {
    code: 2,
    out: '',
    err: 'tollgate keys: say issue, rotate, revoke, list, import or digest; see tollgate keys --help\n',
  });
  assert.equal((await tollgate(['keys', 'constructor'])).code, 2);
});

test('--lines digests a key a line, in the same order, however the bytes come', async () => {
  const keys = Array.from({ length: 3000 }, (_, index) => `key-${index}`);
  const digests = keys.map((key) => `${digestKey(key)}\n`).join('');
  for (const stdin of [
    keys.join('\n'),
    `${keys.join('\n')}\n`,
    `\ufeff${keys.join('\r\n')}\r\n`,
    [...Buffer.from(keys.join('\n'))].map((byte) => Buffer.from([byte])),
  ])
    assert.deepEqual(await tollgate(['keys', 'digest', '--lines'], { stdin }), { code: 0, out: digests, err: '' });
  assert.deepEqual(await tollgate(['keys', 'digest', '--lines'], { stdin: '' }), { code: 0, out: '', err: '' });
  assert.equal((await tollgate(['keys', 'digest', '--lines'], { stdin: 'x' })).out, `${digestKey('x')}\n`);
});

test('--lines ends at the first line that is no key, and never repeats it', async () => {
  const bad: [line: string | Buffer, rule: RegExp][] = [
    ['', /^standard input:2: the key is empty\n$/],
    ['two words', /^standard input:2: a key holds printable ASCII characters only, without spaces\n$/],
    ['schlüssel', /^standard input:2: a key holds printable ASCII/],
    ['nul\0', /^standard input:2: a key holds printable ASCII/],
    [Buffer.from([0x61, 0xff, 0xfe]), /^standard input:2: a key holds printable ASCII/],
    ['x'.repeat(10_000_000), /^standard input:2: a key has at most 4096 characters\n$/],
  ];
  for (const [line, rule] of bad) {
    const stdin = Buffer.concat([Buffer.from('one\n'), Buffer.from(line), Buffer.from('\nthree\n')]);
    const { code, out, err } = await tollgate(['keys', 'digest', '--lines'], { stdin: [stdin] });
    assert.deepEqual([code, out], [1, `${digestKey('one')}\n`]);
    assert.match(err, rule);
  }
  const utf16 = await tollgate(['keys', 'digest', '--lines'], { stdin: Buffer.from('one\r\ntwo\r\n', 'utf16le') });
  assert.deepEqual([utf16.code, utf16.out], [1, '']);
  assert.match(utf16.err, /^standard input: must be UTF-8; this is UTF-16/);
  assert.equal((await tollgate(['keys', 'digest', '--lines', '--prompt'])).code, 2);
});

test('--lines warns of keys of our own that are mistyped, with their lines', async () => {
  const { key } = issueKey();
  const { code, err } = await tollgate(['keys', 'digest', '--lines'], {
    stdin: `${key}\n${`${key.slice(0, -1)}\n`.repeat(102)}`,
  });
  assert.equal(code, 0);
  const lines = err.trimEnd().split('\n');
  assert.equal(
    lines[0],
    'standard input:2: warning: the key begins with tg_ but its checksum is wrong; it may be mistyped or cut off',
  );
  assert.deepEqual([lines.length, lines.at(-1)], [101, 'standard input: and 2 more warnings']);
});

test('--lines is content when its reader has enough, and waits for one that is slow', async () => {
  const stdin = Array.from({ length: 100 }, (_, index) => Buffer.from(`key-${index}\n`));
  let open = 0;
  const printed: string[] = [];
  const slow = await tollgate(['keys', 'digest', '--lines'], {
    stdin,
    deliver: async (text) => {
      assert.equal(++open, 1, 'nothing is printed before the last was taken');
      await new Promise(setImmediate);
      printed.push(text);
      open--;
    },
  });
  assert.equal(slow.code, 0);
  assert.equal(printed.join('').split('\n').length, 101);
  const gone = await tollgate(['keys', 'digest', '--lines'], {
    stdin,
    deliver: () => Promise.reject(Object.assign(new Error('gone'), { code: 'EPIPE' })),
  });
  assert.deepEqual([gone.code, gone.err], [0, '']);
});
