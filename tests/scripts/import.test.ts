import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { digestKey, issueKey } from '../../scripts/key/key.ts';
import { StepLine } from '../../scripts/cli/keys/stepLine.ts';
import { readPolicy, type Key } from '../../scripts/policy/index.ts';
import { tollgate, type Run } from './fakeIo.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

const folder = scratchFolder();
const ONE = `sha256:${'1'.repeat(64)}`;
const API = 'policy: shop\napis: { pets: { paths: [/v1], plans: [free, gold] } }\nplans: { free: , gold: }\n';
const POLICY = `${API}consumers:
  acme: # first
    plan: free
    keys: # one
      - id: one # old
        digest: ${ONE}
      # no more
  globex: { plan: gold }

# the end
`;

interface Imported extends Run {
  readonly file: string;
  readonly text: string;
}

async function imported(rows: string | Buffer, options: string[] = [], before = POLICY): Promise<Imported> {
  const file = scratchFile(folder, before);
  const run = await tollgate(['keys', 'import', ...options, file], { stdin: rows });
  return { ...run, file, text: readFileSync(file, 'utf8') };
}

function keysIn(text: string): Record<string, Key[]> {
  const { policy, problems } = readPolicy(text, 'p');
  assert.deepEqual(problems, []);
  return Object.fromEntries(Object.entries(policy!.consumers).map(([name, { keys }]) => [name, keys]));
}

const ROWS = `consumer,key,id,plan,from,until
acme,old-key-1,two,,,2030-01-31
initech,old-key-2,a,gold,2026-01-01T00:00:00Z,
acme,old-key-3,three,free,,
globex,old-key-4,g,,,
initech,old-key-5,b,,,
`;
const AFTER = `${API}consumers:
  acme: # first
    plan: free
    keys: # one
      - id: one # old
        digest: ${ONE}
      - id: two
        digest: ${digestKey('old-key-1')}
        until: 2030-01-31T00:00:00Z
      - id: three
        digest: ${digestKey('old-key-3')}
      # no more
  globex: { plan: gold, keys: [{ id: g, digest: ${digestKey('old-key-4')} }] }
  initech:
    plan: gold
    keys:
      - id: a
        digest: ${digestKey('old-key-2')}
        from: 2026-01-01T00:00:00Z
      - id: b
        digest: ${digestKey('old-key-5')}

# the end
`;

test('adds the keys of all rows, in their order, and keeps everything else of the file', async () => {
  const { code, out, err, text, file } = await imported(ROWS);
  assert.deepEqual([code, out, err], [0, '', `${file}: 5 keys added to 3 consumers (1 new)\n`]);
  assert.equal(text, AFTER);
});

test('the same import again changes nothing, not even the file', async () => {
  const { file } = await imported(ROWS);
  const again = await tollgate(['keys', 'import', file], { stdin: ROWS });
  assert.deepEqual(again, {
    code: 0,
    out: '',
    err: `${file}: no keys added; 5 rows were already in the policy\n`,
  });
  assert.equal(readFileSync(file, 'utf8'), AFTER);
  const more = await tollgate(['keys', 'import', file], { stdin: `${ROWS}acme,old-key-6,six,,,\n` });
  assert.equal(more.err, `${file}: 1 key added to 1 consumer; 5 rows were already in the policy\n`);
  assert.deepEqual(
    keysIn(readFileSync(file, 'utf8'))['acme']!.map(({ id }) => id),
    ['one', 'two', 'three', 'six'],
  );
});

test('a key that was revoked, or was given an end, since it was imported stays so', async () => {
  const rows = ROWS.replace('2030-01-31', '');
  const { file } = await imported(rows);
  assert.equal((await tollgate(['keys', 'revoke', '--id', 'a', file])).code, 0);
  assert.equal((await tollgate(['keys', 'rotate', file, 'globex'])).code, 0);
  const before = readFileSync(file, 'utf8');
  assert.equal((await tollgate(['keys', 'import', file], { stdin: rows })).code, 0);
  assert.equal(readFileSync(file, 'utf8'), before);
});

const asLines = (rows: string): string => {
  const [header = '', ...lines] = rows.trimEnd().split('\n');
  const columns = header.split(',');
  return lines
    .map((line) => {
      const cells = line.split(',');
      return JSON.stringify(Object.fromEntries(columns.map((column, index) => [column, cells[index] || null])));
    })
    .join('\n');
};

const FORMS: Record<string, string | Buffer> = {
  'JSON lines': asLines(ROWS),
  'JSON lines with empty ones, CRLF and a byte order mark': `\ufeff\r\n${asLines(ROWS).replaceAll('\n', '\r\n\r\n')}\r\n`,
  'semicolons, CRLF and a byte order mark': `\ufeff${ROWS.replaceAll(',', ';').replaceAll('\n', '\r\n')}`,
  tabs: ROWS.replaceAll(',', '\t'),
  'quotes around everything': ROWS.replace(/[^,\n]+/g, '"$&"'),
  'spaces, empty lines and rows of nothing': `\n${ROWS.replaceAll(',', ' , ')}\n,,,,,\n  \n`,
  'columns in another order, in capitals': ROWS.split('\n')
    .map((line) => line.split(',').reverse().join(','))
    .join('\n')
    .replace(/^.*/, (header) => header.toUpperCase()),
  'line breaks of an old Mac': ROWS.replaceAll('\n', '\r'),
};

for (const [form, rows] of Object.entries(FORMS)) {
  test(`reads ${form}`, async () => {
    const { code, err, text } = await imported(rows);
    assert.equal(code, 0, err);
    assert.equal(text, AFTER);
  });
}

test('reads a file with --from, and takes digests in place of keys', async () => {
  const rows = scratchFile(folder, `consumer,digest,id\nacme,${digestKey('x')},new\n`, 'rows.csv');
  const { code, text } = await imported('', ['--from', rows]);
  assert.equal(code, 0);
  assert.equal(keysIn(text)['acme']!.at(-1)!.digest, digestKey('x'));
  const missing = await imported('', ['--from', `${rows}.not`]);
  assert.deepEqual([missing.code, missing.err], [1, `${rows}.not: no such file\n`]);
  const time = await imported('', ['--from', '2026-01-31T00:00:00Z']);
  assert.equal(time.code, 2);
  assert.match(time.err, /--from is the file with the rows; times of keys stand in its columns; see/);
});

test('takes APIs and scopes of keys, as words or as lists', async () => {
  const csv = await imported(
    'consumer,key,id,apis,scopes\nacme,old-key-1,two,pets pets,write  read\nacme,old-key-2,three,,\n',
  );
  assert.equal(csv.code, 0, csv.err);
  const [, two, three] = keysIn(csv.text)['acme']!;
  assert.deepEqual([two!.apis, two!.scopes], [['pets'], ['write', 'read']]);
  assert.deepEqual([three!.apis, three!.scopes], [undefined, undefined]);
  const row = { consumer: 'acme', key: 'old-key-1', id: 'two', apis: ['pets'], scopes: ['read', 'write'] };
  const json = await imported(JSON.stringify(row));
  assert.deepEqual(keysIn(json.text)['acme']![1]!.scopes, ['read', 'write']);
  const again = await imported(JSON.stringify(row), [], csv.text);
  assert.deepEqual([again.code, again.text], [0, csv.text]);
  for (const [change, message] of [
    [{ apis: 'pets toys' }, /apis: must be APIs of the policy \(pets\)$/m],
    [{ apis: [7] }, /apis: must be a string, or a list of strings$/m],
    [{ scopes: 'a"b' }, /scopes: must be a scope: /],
    [
      { scopes: ['read'] },
      /scopes: must be the scopes that the key has in the policy; import does not change existing/,
    ],
    [{ until: ['2030-01-01'] }, /until: must be a string$/m],
  ] as const) {
    const refused = await imported(JSON.stringify({ ...row, ...change }), [], csv.text);
    assert.deepEqual([refused.code, refused.text], [1, csv.text]);
    assert.match(refused.err, message);
  }
});

test('names with commas, quotes and other scripts need no more than CSV does', async () => {
  const { code, err, text } = await imported(
    'consumer,key,plan\n"Smith, Jones & ""Co""",k1,free\nМаша,k2,free\n"auth0|5f7c1a2b",k3,free\n2026,k4,free\n',
  );
  assert.equal(code, 0, err);
  assert.deepEqual(Object.keys(keysIn(text)), [
    '2026',
    'acme',
    'globex',
    'Smith, Jones & "Co"',
    'Маша',
    'auth0|5f7c1a2b',
  ]);
});

test('--plan is the plan of new consumers whose rows name none', async () => {
  const { code, text } = await imported('consumer,key,plan\nnew,k1,\nother,k2,free\nacme,k3,\n', ['--plan', 'gold']);
  assert.equal(code, 0);
  const { consumers } = readPolicy(text, 'p').policy!;
  assert.deepEqual(
    ['new', 'other', 'acme'].map((name) => consumers[name]!.plan),
    ['gold', 'free', 'free'],
  );
});

test('an id that is not given is the one in a key of ours, or is made up; ids that other rows give stay theirs', async () => {
  const ours = issueKey('mine');
  const { code, text } = await imported(
    `consumer,key,id,plan\nnew,${ours.key},,free\nnew,foreign-1,,\nacme,foreign-2,,\nother,${issueKey('mine').key},,free\n`,
  );
  assert.equal(code, 0);
  const keys = keysIn(text);
  assert.equal(keys['new']![0]!.id, 'mine');
  assert.match(keys['new']![1]!.id, /^[0-9A-Za-z]{8}$/);
  assert.match(keys['other']![0]!.id, /^[0-9A-Za-z]{8}$/);
  assert.ok(!text.includes(ours.key.slice(-33)));
});

test('--dry-run says what would happen, in a place where nothing may be written, too', async () => {
  const own = scratchFolder();
  const file = scratchFile(own, POLICY, 'p.yaml');
  const { code, err } = await tollgate(['keys', 'import', '--dry-run', file], { stdin: ROWS });
  assert.deepEqual([code, err], [0, `${file}: would add 5 keys to 3 consumers (1 new); nothing was written\n`]);
  assert.equal(readFileSync(file, 'utf8'), POLICY);
  assert.deepEqual(readdirSync(own), ['p.yaml']);
});

test('--json prints counts, or the problems', async () => {
  const { code, out, err } = await imported(ROWS, ['--json', '--dry-run']);
  assert.deepEqual([code, err], [0, '']);
  assert.deepEqual(JSON.parse(out), {
    ok: true,
    dryRun: true,
    rows: 5,
    added: 5,
    unchanged: 0,
    consumers: 3,
    created: 1,
    expired: 0,
    warnings: [],
    problems: [],
    moreProblems: 0,
  });
  const bad = await imported('consumer,key\nacme,\n', ['--json']);
  assert.deepEqual([bad.code, bad.err], [1, '']);
  assert.deepEqual(JSON.parse(bad.out), {
    ok: false,
    dryRun: false,
    problems: [{ file: 'standard input', line: 2, column: 0, path: 'key', rule: 'must be given, or a digest instead' }],
    moreProblems: 0,
  });
  const policy = await imported(ROWS, ['--json'], 'policy: 1\n');
  assert.equal(policy.code, 1);
  assert.equal((JSON.parse(policy.out) as { problems: { path: string }[] }).problems[0]!.path, 'policy');
});

test('warns of keys that are over, that are mistyped, and of a policy that no WasmPlugin holds', async () => {
  const { key } = issueKey();
  const { code, err } = await imported(`consumer,key,until\nacme,k1,2020-01-01\nacme,${key.slice(0, -1)},\n`);
  assert.equal(code, 0);
  assert.equal(
    err.split('\n')[0],
    'standard input:3: warning: the key begins with tg_ but its checksum is wrong; it may be mistyped or cut off',
  );
  assert.equal(err.split('\n')[1], 'standard input: warning: 1 key has already expired');
  const many = Array.from({ length: 20_000 }, (_, index) => `acme,key-${index}\n`).join('');
  const large = await imported(`consumer,key\n${many}`);
  assert.match(
    large.err,
    /: warning: compiles to 1,\d{3},\d{3} bytes, but a WasmPlugin holds at most 1,507,328, so "tollgate emit" will refuse the policy; only an Envoy that you configure yourself can serve it\n.*: 20,000 keys added to 1 consumer\n$/,
  );
});

const refusals: { name: string; rows: string | Buffer; says: string[]; options?: string[] }[] = [
  { name: 'nothing', rows: '', says: ['1: must hold rows; the input is empty'] },
  { name: 'a header alone', rows: 'consumer,key\n', says: ['1: must be followed by at least one row'] },
  {
    name: 'a JSON list',
    rows: '[{"consumer":"acme"}]',
    says: ['1: must be CSV with a header, or one JSON object per line; "jq -c .[]" converts a list'],
  },
  {
    name: 'rows without a header',
    rows: 'acme,swordfish\n',
    says: [
      '1: must be a header with column names: consumer, key or digest, and optionally id, plan, from, until, apis, scopes',
    ],
  },
  {
    name: 'columns that are unknown, missing or there twice',
    rows: 'Name,key,key,id\n',
    says: [
      '1: column 1 of the header must be one of consumer, key, digest, id, plan, from, until, apis, scopes; found "Name"',
      '1: key: must be named only once',
      '1: the header must name the column "consumer"',
    ],
  },
  {
    name: 'a row too long or short',
    rows: 'consumer,key\nacme,a,b\nacme\n',
    says: [
      '2: must have 2 values, one per column; a value that contains the delimiter needs quotes; found 3',
      '3: must have 2 values, one per column; a value that contains the delimiter needs quotes; found 1',
    ],
  },
  {
    name: 'values that break their rules, all at once',
    rows:
      'consumer,key,digest,id,plan,from,until\n a  b,k,,,,,\nacme,,sha256:1,,,,\nacme,,,,,,\nacme,k,' +
      ONE +
      ',,,,\nacme,k1,,-,,,\nacme,k2,,,,31.12.2026,\nacme,k3,,,,2027-01-01,2026-01-01\nacme,k 4,,,,,\nacme,k5,,,nope,,\nacme,k6,,,gold,,\nnobody,k7,,,,,\n',
    says: [
      '2: consumer: must be a name that begins with a letter or digit, without control or invisible characters, and with single spaces inside only',
      '3: digest: must be "sha256:" and the 64 lower-case hex digits of the key\'s SHA-256; "tollgate keys digest" prints it',
      '4: key: must be given, or a digest instead',
      '5: digest: must not be given together with a key',
      '6: id: must be a name of 1 to 127 letters, digits, ".", "_", "@" and "-" that begins with a letter or digit',
      '7: from: must be a time such as 2026-01-31T00:00:00Z, or a date such as 2026-01-31 (midnight UTC)',
      '8: until: must be after "from"',
      '9: key: a key holds printable ASCII characters only, without spaces',
      '10: plan: must be a plan of the policy (free, gold)',
      '11: plan: must be the plan that the consumer already has; import does not change existing consumers',
      '12: consumer: must be a consumer of the policy, or have a plan (or --plan) with which it can be created',
    ],
  },
  {
    name: 'a key twice, an id twice, and a consumer with two plans',
    rows: 'consumer,key,id,plan\nacme,k1,a,\nglobex,k1,b,\nacme,k2,a,\nnew,k3,,free\nnew,k4,,gold\n',
    says: [
      '3: must not repeat the key of line 2',
      '4: id: must be unique for the consumer; line 2 has the same id',
      '6: plan: must be the same in all rows of a new consumer',
    ],
  },
  {
    name: 'what the policy says otherwise',
    rows: `consumer,digest,id,until\nglobex,${ONE},,\nacme,${ONE},two,\nacme,${digestKey('x')},one,\n`,
    says: [
      '2: consumer: must be the consumer that has this key in the policy; it is another one',
      '3: must not repeat the key of line 2',
      '3: id: must be the id that the key has in the policy',
      '4: id: must be a new id; the consumer already has a key with this one',
    ],
  },
  {
    name: 'another time of a key that is there',
    rows: `consumer,digest,until\nacme,${ONE},2030-01-01\n`,
    says: ['2: until: must be the time that the key has in the policy; import does not change existing keys'],
  },
  {
    name: 'JSON that is no row',
    rows: '{"consumer":"acme","key":"k1"}\n{"consumer":"acme","key":5}\n{"consumer":"acme","token":"k2"}\n{"consumer":\n"acme"\n{"__proto__":{}}\n',
    says: [
      '2: key: must be a string',
      '3: must have no other fields than consumer, key, digest, id, plan, from, until, apis, scopes',
      '4: must be a JSON object',
      '5: must be a JSON object',
      '6: must have no other fields than consumer, key, digest, id, plan, from, until, apis, scopes',
    ],
  },
  {
    name: 'a digest of nothing',
    rows: 'consumer,digest\nacme,sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n',
    says: ['2: digest: must not be the digest of an empty key'],
  },
];

for (const { name, rows, says, options = [] } of refusals) {
  test(`refuses ${name}, and writes nothing`, async () => {
    const { code, out, err, text } = await imported(rows, options);
    assert.deepEqual([code, out], [1, '']);
    assert.deepEqual(
      err.trimEnd().split('\n'),
      says.map((line) => `standard input:${line}`),
    );
    assert.equal(text, POLICY);
  });
}

test('of very many bad rows the first are named, and how many more there are', async () => {
  const { err } = await imported(`consumer,key\n${'acme,\n'.repeat(20_000)}`);
  assert.deepEqual(err.trimEnd().split('\n').slice(99), [
    'standard input:101: key: must be given, or a digest instead',
    'standard input: and 19,900 more problems',
  ]);
});

test('wrong usage is told as such', async () => {
  for (const args of [[], ['-'], ['a', 'b'], ['--plan', 'A B', 'a']]) {
    const { code, err } = await tollgate(['keys', 'import', ...args]);
    assert.equal(code, 2, err);
  }
});

test('progress: nothing for two seconds, then one line that is written over and gone; elsewhere a line now and then', () => {
  let now = 0;
  const said = (isTerminal: boolean): string => {
    now = 0;
    let err = '';
    const io = { err: (text: string) => void (err += text), isTerminal };
    const progress = new StepLine(io as never, () => now);
    for (const at of [1000, 1999, 2000, 3000, 13_000]) {
      now = at;
      progress.say(`at ${at}`);
    }
    progress.end();
    return err;
  };
  assert.equal(said(true), '\r\u001b[Kat 2000 …\r\u001b[Kat 3000 …\r\u001b[Kat 13000 …\r\u001b[K');
  assert.equal(said(false), 'at 2000 …\nat 13000 …\n');
});
