import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { Random } from '../../harness/random.ts';
import { nothingSaid, startRival } from '../../harness/rivals/contest.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { validPolicyFiles } from '../../scripts/policy/index.ts';
import { readFolder } from '../../scripts/file/folder.ts';
import { tollgate, type Run } from './fakeIo.ts';

const FILES = {
  'apis.yaml': '# of the teams\npolicy: shop\napis:\n  pets:\n    paths: [/pets]\n    plans: [free]\n',
  'partners.yaml': '# of the partner desk\npolicy: shop\nconsumers:\n  acme: # first\n    plan: free\n    keys: []\n',
  'plans.yaml': 'policy: shop\nkeySources:\n  - header: x-api-key\nplans:\n  free:\n  gold:\n',
  'staff.json': '{ "policy": "shop", "consumers": { "globex": { "plan": "free" } } }\n',
};
type Files = Record<string, string>;

const scratch = scratchFolder();

function folderOf(files: Files = FILES): string {
  const folder = mkdtempSync(join(scratch, 'shop-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** Consumers stand in one of these. */
function withoutStaff(): Files {
  return Object.fromEntries(Object.entries(FILES).filter(([name]) => name !== 'staff.json'));
}

/** The files that are not as they were. */
function changedIn(folder: string, before: Files = FILES): Files {
  const names = readdirSync(folder);
  assert.deepEqual(names.sort(), Object.keys(before).sort(), 'nothing is left behind');
  const all = names.map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);
  return Object.fromEntries(all.filter(([name, text]) => text !== before[name]));
}

async function keysIn(folder: string): Promise<Record<string, string[]>> {
  const { policy } = validPolicyFiles(await readFolder(folder), folder);
  return Object.fromEntries(
    Object.entries(policy.consumers).map(([name, { keys }]) => [name, keys.map(({ id }) => id)]),
  );
}

function issue(folder: string, consumer: string, id: string, ...more: string[]): Promise<Run> {
  return tollgate(['keys', 'issue', '--consumer', consumer, '--id', id, ...more, folder]);
}

describe('keys in a folder', () => {
  it('are issued, rotated and revoked in the file where the consumer stands', async () => {
    const folder = folderOf();
    const issued = await issue(folder, 'acme', 'one');
    assert.deepEqual([issued.code, issued.err.includes(`its digest is in ${folder}/partners.yaml\n`)], [0, true]);
    assert.deepEqual(Object.keys(changedIn(folder)), ['partners.yaml']);
    assert.match(readFileSync(join(folder, 'partners.yaml'), 'utf8'), /^# of the partner desk\n[^]*acme: # first\n/);
    assert.equal((await issue(folder, 'globex', 'two')).code, 0);
    JSON.parse(readFileSync(join(folder, 'staff.json'), 'utf8'));
    const rotated = await tollgate(['keys', 'rotate', folder, 'globex']);
    assert.match(rotated.err, /its digest is in .*staff\.json\n/);
    const revoked = await tollgate(['keys', 'revoke', '--id', 'one', folder]);
    assert.equal(revoked.err, `key one of consumer acme is revoked in ${folder}/partners.yaml\n`);
    assert.deepEqual(Object.keys(changedIn(folder)), ['partners.yaml', 'staff.json']);
    const { acme, globex } = await keysIn(folder);
    assert.deepEqual([acme, globex!.length, globex![0]], [['one'], 2, 'two']);
  });

  const refused: readonly [string, string[], RegExp][] = [
    [
      'a new consumer that could go to two files',
      ['--plan', 'free'],
      /: consumer "hooli" is new, and several files have consumers \(partners\.yaml, staff\.json\); --file FILE says where it goes\n$/,
    ],
    [
      'a file that is not there',
      ['--plan', 'free', '--file', 'x.yaml'],
      /: has no file "x\.yaml" \(apis\.yaml, partners\.yaml, plans\.yaml, staff\.json\)\n$/,
    ],
    [
      'an unknown consumer without a plan',
      [],
      /^no consumer named "hooli"; there are acme, globex; --plan PLAN makes a new one\n$/,
    ],
  ];
  for (const [what, options, message] of refused)
    it(`are not issued to ${what}`, async () => {
      const folder = folderOf();
      const { code, out, err } = await issue(folder, 'hooli', 'one', ...options);
      assert.deepEqual([code, out], [1, '']);
      assert.match(err, message);
      assert.deepEqual(changedIn(folder), {});
    });

  it('of a new consumer go to the file that is named, or to the only one with consumers', async () => {
    const folder = folderOf();
    assert.equal((await issue(folder, 'hooli', 'one', '--plan', 'free', '--file', 'plans.yaml')).code, 0);
    assert.match(changedIn(folder)['plans.yaml']!, /^consumers:\n {2}hooli:\n/m);
    assert.equal(
      (await issue(folder, 'umbrella', 'one', '--plan', 'free', '--file', join(folder, 'staff.json'))).code,
      0,
    );
    assert.deepEqual(Object.keys(changedIn(folder)), ['plans.yaml', 'staff.json']);
    const rest = withoutStaff();
    const single = folderOf(rest);
    assert.equal((await issue(single, 'hooli', 'one', '--plan', 'free')).code, 0);
    assert.deepEqual(Object.keys(changedIn(single, rest)), ['partners.yaml']);
  });

  it('say where a consumer stands if another file is named, and that --file is for folders', async () => {
    const folder = folderOf();
    const { err } = await issue(folder, 'acme', 'one', '--file', 'staff.json');
    assert.equal(err, `consumer "acme" stands in ${folder}/partners.yaml; --file is for a new one\n`);
    const file = join(scratch, 'one.yaml');
    writeFileSync(file, 'policy: shop\nplans: { free: }\n');
    const one = await issue(file, 'acme', 'one', '--plan', 'free', '--file', 'x');
    assert.equal(one.err, `${file}: is a file; --file is for a policy that is a folder\n`);
  });

  it('are not issued in a policy with problems, wherever they stand', async () => {
    const folder = folderOf({ ...FILES, 'z.yaml': 'policy: shop\nconsumers:\n  acme: { plan: free }\n' });
    const { code, out, err } = await issue(folder, 'globex', 'one');
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, /z\.yaml:3: consumers\.acme: must be given once; it stands at .*partners\.yaml:4 already/);
  });

  it('are imported into the files of their consumers, all or none', async () => {
    const folder = folderOf();
    const rows = ['acme', 'globex', 'hooli'].map(
      (name) => `${name},sha256:${Buffer.from(name.padEnd(32)).toString('hex')}`,
    );
    const stdin = `consumer,digest\n${rows.join('\n')}\n`;
    const unsure = await tollgate(['keys', 'import', '--plan', 'free', folder], { stdin });
    assert.match(unsure.err, /consumer "hooli" is new, and several files have consumers/);
    assert.deepEqual(changedIn(folder), {});
    const trial = ['keys', 'import', '--plan', 'free', '--file', 'plans.yaml', folder];
    assert.equal((await tollgate([...trial, '--dry-run'], { stdin })).code, 0);
    assert.deepEqual(changedIn(folder), {});
    const { code, err } = await tollgate(trial, { stdin });
    assert.deepEqual([code, err], [0, `${folder}: 3 keys added to 3 consumers (1 new)\n`]);
    assert.deepEqual(Object.keys(changedIn(folder)).sort(), ['partners.yaml', 'plans.yaml', 'staff.json']);
    assert.match((await tollgate(trial, { stdin })).err, /no keys added; 3 rows were already in the policy/);
  });

  it('are not imported at all when one of the files may not be written', async () => {
    if (process.platform === 'win32' || process.getuid?.() === 0) return;
    const folder = folderOf();
    chmodSync(join(folder, 'staff.json'), 0o444);
    const stdin = ['acme', 'globex'].map((name) => `{"consumer":"${name}","key":"key-of-${name}-1"}\n`).join('');
    const { code, err } = await tollgate(['keys', 'import', folder], { stdin });
    assert.deepEqual([code, err], [1, `${folder}/staff.json: may not be written; nothing was changed\n`]);
    assert.deepEqual(changedIn(folder), {});
  });

  it('are written where a link leads', async () => {
    const real = folderOf();
    const folder = mkdtempSync(join(scratch, 'links-'));
    for (const name of Object.keys(FILES)) symlinkSync(join(real, name), join(folder, name));
    assert.equal((await issue(folder, 'acme', 'one')).code, 0);
    assert.deepEqual(Object.keys(changedIn(real)), ['partners.yaml']);
    assert.deepEqual(readdirSync(folder).sort(), Object.keys(FILES).sort());
  });
});

test('commands at once on one folder lose nothing, in the same file and in different ones', async () => {
  const folder = folderOf();
  const runs = await Promise.all(
    [...Array(6).keys()].flatMap((at) => [
      issue(folder, 'acme', `a${at}`),
      issue(folder, 'globex', `g${at}`),
      issue(folder, `new-${at}`, 'n', '--plan', 'free', '--file', at % 2 === 0 ? 'plans.yaml' : 'staff.json'),
    ]),
  );
  assert.deepEqual(
    runs.filter(({ code }) => code !== 0),
    [],
  );
  const { acme, globex, ...others } = await keysIn(folder);
  assert.deepEqual([acme!.length, globex!.length, Object.keys(others).length], [6, 6, 6]);
  changedIn(folder);
});

test('a consumer that two commands make at once, in two files, is made by one of them', async () => {
  const folder = folderOf();
  const runs = await Promise.all(
    ['plans.yaml', 'staff.json', 'apis.yaml'].map((file) =>
      issue(folder, 'hooli', 'n', '--plan', 'free', '--file', file),
    ),
  );
  assert.equal(runs.filter(({ code }) => code === 0).length, 1);
  assert.equal((await tollgate(['check', folder])).code, 0);
});

test('processes lose nothing in a folder, even when killed at any moment', { timeout: 240_000 }, async () => {
  const random = new Random(13);
  const files = withoutStaff();
  const folder = folderOf(files);
  const said = nothingSaid();
  await Promise.all(
    ['a', 'b'].map(async (name) => {
      for (let life = 0; life < 2; life++) {
        const rival = startRival(folder, `${name}${life}`, random.below(1e9), 12, said);
        await rival.begun;
        if (life < 1) setTimeout(() => rival.kill(), 100 + random.below(1000));
        await rival.ended;
      }
    }),
  );
  const kept = new Set(Object.values(await keysIn(folder)).flat());
  assert.deepEqual(said.refused, []);
  assert.ok(said.issued.size > 0);
  assert.deepEqual(
    [...said.issued].filter((id) => !kept.has(id)),
    [],
  );
});

test('import openapi puts each thing where its kind stands', async () => {
  const folder = folderOf();
  const document = join(scratch, 'orders.json');
  const operations = { '/orders': { get: { operationId: 'listOrders', responses: { 200: { description: 'ok' } } } } };
  const write = (more: object): void =>
    writeFileSync(
      document,
      JSON.stringify({
        openapi: '3.0.3',
        info: { title: 'Orders', version: '1' },
        servers: [{ url: 'https://api.example.com/orders' }],
        'x-tollgate-plan': 'silver',
        components: { securitySchemes: { key: { type: 'apiKey', in: 'query', name: 'key' } } },
        security: [{ key: [] }],
        paths: { ...operations, ...more },
      }),
    );
  write({});
  const first = await tollgate(['import', 'openapi', document, '--into', folder]);
  assert.equal(first.code, 0, first.err);
  const changed = changedIn(folder);
  assert.deepEqual(Object.keys(changed).sort(), ['apis.yaml', 'plans.yaml']);
  assert.match(
    changed['apis.yaml']!,
    /^# of the teams\n[^]*^ {2}orders:\n[^]*^# What "tollgate import openapi" last read/m,
  );
  assert.match(changed['plans.yaml']!, /^ {2}- \{? ?query: key|^ {2}- query: key/m);
  assert.match(changed['plans.yaml']!, /^ {2}silver:/m);
  assert.equal((await tollgate(['check', folder])).code, 0);
  write({
    '/orders/{id}': {
      get: {
        operationId: 'getOrder',
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
        responses: { 200: { description: 'ok' } },
      },
    },
  });
  const again = await tollgate(['import', 'openapi', document, '--into', folder]);
  assert.match(again.err, /apis\.yaml: orders: operations: 1 added, 0 changed, 0 removed\n$/);
  const nothing = await tollgate(['import', 'openapi', document, '--into', folder]);
  assert.match(nothing.err, /nothing changed\n$/);
});
