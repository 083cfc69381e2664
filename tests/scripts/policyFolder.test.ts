import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { Follower } from '../../scripts/envoy/follow.ts';
import { namesIn, readFolder } from '../../scripts/file/folder.ts';
import { readSource } from '../../scripts/file/openPolicy.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { Random } from '../../harness/random.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { tollgate } from './fakeIo.ts';

const SHOP = `policy: shop
targets: [{ namespace: shop }]
upstreams: { pets: { url: "http://127.0.0.1:9", service: { host: pets.shop.svc.cluster.local, port: 80 } } }
plans: { free: { quotas: { daily: { limit: 10, window: day } } } }
`;
const APIS = 'policy: shop\napis:\n  pets: { paths: [/pets], plans: [free], upstream: pets, anonymous: allow }\n';
const KEYS = 'policy: shop\nconsumers:\n  acme: { plan: free, keys: [] }\n';

const scratch = scratchFolder();

function folderOf(files: Record<string, string | Uint8Array>): string {
  const folder = mkdtempSync(join(scratch, 'shop-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

function shop(more: Record<string, string | Uint8Array> = {}): string {
  return folderOf({
    'shop.yaml': SHOP,
    'apis.yml': APIS,
    'keys.json': '{"policy":"shop"}',
    'keys.yaml': KEYS,
    ...more,
  });
}

async function refusal(folder: string): Promise<string[]> {
  const { code, err } = await tollgate(['check', folder]);
  assert.equal(code, 1, err);
  return err.trim().split('\n').slice(0, -1);
}

describe('a folder of policy files', () => {
  it('is read in the order of names; hidden files, backups, other files and folders are left out', async () => {
    const folder = shop({
      '.hidden.yaml': '- no policy',
      '.#apis.yml': '- a lock of Emacs',
      'apis.yml~': '- a backup',
      'apis.yml.bak': '- a backup',
      'README.md': '# no policy',
      'Z.YAML': 'policy: shop\n',
    });
    mkdirSync(join(folder, 'more.yaml'));
    symlinkSync('more.yaml', join(folder, 'link.yaml'));
    assert.deepEqual(await namesIn(folder), ['Z.YAML', 'apis.yml', 'keys.json', 'keys.yaml', 'shop.yaml']);
    const { code, out } = await tollgate(['check', folder]);
    assert.equal(code, 0);
    assert.equal(out, `${folder}: valid (5 files, 1 API, 1 plan, 1 consumer, 0 keys)\n`);
  });

  it('may be a mounted ConfigMap, whose files are links into a hidden folder', async () => {
    const folder = folderOf({});
    mkdirSync(join(folder, '..2026'));
    for (const [name, text] of Object.entries({ 'a.yaml': SHOP, 'b.yaml': APIS, 'c.yaml': KEYS })) {
      writeFileSync(join(folder, '..2026', name), text);
      symlinkSync(join('..data', name), join(folder, name));
    }
    symlinkSync('..2026', join(folder, '..data'));
    assert.equal((await tollgate(['check', folder])).code, 0);
  });

  it('names every file that cannot be read', async () => {
    const folder = shop({
      'a.yaml': Buffer.from('policy: shop\nrealm: \xff\n', 'latin1'),
      'b.yaml': Buffer.from('policy: shop\n', 'utf16le'),
    });
    symlinkSync('nowhere', join(folder, 'c.yaml'));
    symlinkSync('d.yaml', join(folder, 'd.yaml'));
    const found = await refusal(folder);
    assert.deepEqual(found.slice(0, 1), [`${folder}/a.yaml:2: must be valid UTF-8`]);
    assert.match(found[1]!, /b\.yaml: must be UTF-8; this is UTF-16/);
    assert.deepEqual(found.slice(2), [
      `${folder}/c.yaml: no such file`,
      `${folder}/d.yaml: cannot be read: its links form a loop`,
    ]);
  });

  it('refuses a device, and a file without the right to read it', { skip: process.platform === 'win32' }, async () => {
    const device = shop();
    symlinkSync('/dev/zero', join(device, 'a.yaml'));
    assert.deepEqual(await refusal(device), [`${device}/a.yaml: must be a regular file`]);
    if (process.getuid?.() === 0) return;
    const secret = shop();
    chmodSync(join(secret, 'keys.yaml'), 0);
    assert.deepEqual(await refusal(secret), [`${secret}/keys.yaml: may not be read: permission denied`]);
  });

  it(
    'refuses a name that a terminal would obey, and shows it escaped',
    { skip: process.platform === 'win32' },
    async () => {
      const folder = shop({ '\u001b[2J.yaml': SHOP });
      assert.deepEqual(await refusal(folder), [
        `${folder}/…: must have a name without control characters; found "\\u001b[2J.yaml"`,
      ]);
    },
  );

  it('is refused when it has no policy file, or too many', async () => {
    const empty = folderOf({ 'README.md': '' });
    const rule = 'must have a policy file: one whose name ends in .yaml, .yml or .json and does not begin with "."';
    assert.deepEqual(await refusal(empty), [`${empty}: ${rule}`]);
    const many = folderOf(Object.fromEntries([...Array(1001).keys()].map((at) => [`${at}.yaml`, ''])));
    assert.deepEqual(await refusal(many), [`${many}: must have at most 1000 policy files; found more`]);
    const full = folderOf(Object.fromEntries([...Array(1000).keys()].map((at) => [`${at}.yaml`, 'policy: shop\n'])));
    assert.equal((await tollgate(['check', full])).code, 0);
  });

  it('bounds all its files together', async () => {
    const large = `policy: shop\n# ${'x'.repeat(17 * 1024 * 1024)}\n`;
    const folder = folderOf({ 'a.yaml': large, 'b.yaml': large });
    assert.deepEqual(await refusal(folder), [
      `${folder}: must have at most 33554432 bytes, all its files together; found more`,
    ]);
  });

  it('is read as it was at one moment while files come and go', async () => {
    const folder = shop();
    const random = new Random(13);
    let [name, other] = ['keys.yaml', 'zz.yaml'];
    for (let reading = 0; reading < 40; reading++) {
      const read = readFolder(folder);
      for (let turns = random.below(20); turns > 0; turns--) await turn();
      renameSync(join(folder, name), join(folder, other));
      [name, other] = [other, name];
      assert.equal((await read).filter(({ text }) => text === KEYS).length, 1);
    }
  });
});

test('every command that takes a policy takes a folder', async () => {
  const folder = shop();
  const one = join(scratch, 'one.yaml');
  writeFileSync(one, SHOP + APIS.replace('policy: shop\n', '') + KEYS.replace('policy: shop\n', ''));
  for (const args of [
    ['compile'],
    ['keys', 'list'],
    ['run', '--print-bootstrap'],
    ['explain', '--request', 'GET https://a.test/pets'],
    ['emit', '--image', `oci://registry.example/tollgate@sha256:${'0'.repeat(64)}`, '-o', '-'],
    ['diff', one],
  ]) {
    const [of, file] = [await tollgate([...args, folder]), await tollgate([...args, one])];
    // the time of an explained request is now
    const [out, wanted] = [of.out, file.out].map((text) => text.replace(/ at \d{4}-[\dT:.Z-]+/, ''));
    assert.equal(of.code, file.code, of.err);
    assert.equal(out, wanted, args.join(' '));
  }
  assert.equal((await tollgate(['diff', folder, one])).out, 'no differences\n');
});

test('fmt formats each file of a folder, and --check lists them', async () => {
  const folder = shop({ 'long.yaml': 'policy:    shop\n', 'notes.txt': 'a:    b\n' });
  const listed = await tollgate(['fmt', '--check', folder]);
  assert.deepEqual([listed.code, listed.out.includes(`${folder}/long.yaml\n`)], [1, true]);
  assert.equal((await tollgate(['fmt', folder])).code, 0);
  assert.equal(readFileSync(join(folder, 'long.yaml'), 'utf8'), 'policy: shop\n');
  assert.equal(readFileSync(join(folder, 'notes.txt'), 'utf8'), 'a:    b\n');
  assert.deepEqual(await tollgate(['fmt', '--check', folder]), { code: 0, out: '', err: '' });
});

test('verify tells a policy in a folder from what was emitted into one', async () => {
  const policy = await tollgate(['verify', shop({ 'bad.yaml': 'policy: shop\nrealm: [1]\n' }), '--context', 'none']);
  assert.match(policy.err, /bad\.yaml:2: realm: must be a string/);
  const emitted = await tollgate([
    'verify',
    inPackage('wasmplugins', 'waypoint', 'resources'),
    '--image',
    'oci://a/b',
    '--context',
    'none',
  ]);
  assert.match(emitted.err, /--image and --pull-secret go with a POLICY/);
});

/** A followed folder, and what was taken: the text of its files. */
async function followed(
  folder: string,
  nowMs?: () => number,
): Promise<{ follower: Follower; taken: string[][]; heard: string[] }> {
  const [taken, heard]: [string[][], string[]] = [[], []];
  const follower = new Follower(
    {
      file: folder,
      take: ({ files }) => Promise.resolve(void taken.push(files.map(({ text }) => text))),
      say: (text) => void heard.push(text),
    },
    await readSource(folder),
    nowMs,
  );
  follower.start();
  return { follower, taken, heard };
}

async function until(isSo: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 20_000; !isSo(); await pause(10))
    if (Date.now() > deadline) throw new Error('it never was so');
}

test('a served folder is followed: edits, new files, and files that stay away', { timeout: 90_000 }, async () => {
  const folder = folderOf({ 'a.yaml': 'a', 'b.yaml': 'b' });
  const { follower, taken, heard } = await followed(folder);
  writeFileSync(join(folder, 'b.yaml'), 'b2');
  await until(() => taken.at(-1)?.join() === 'a,b2');
  writeFileSync(join(folder, '.c.yaml.tmp'), 'c');
  renameSync(join(folder, '.c.yaml.tmp'), join(folder, 'c.yaml'));
  await until(() => taken.at(-1)?.join() === 'a,b2,c');
  unlinkSync(join(folder, 'a.yaml'));
  await until(() => taken.at(-1)?.join() === 'b2,c');
  rmSync(folder, { recursive: true });
  await until(() => heard.length > 0);
  await follower.stop();
  assert.deepEqual(heard, [`${folder} is gone; the policy in force keeps serving`]);
});

test('a file that an editor takes away for a moment is not missed', { timeout: 90_000 }, async () => {
  const folder = folderOf({ 'a.yaml': 'a', 'b.yaml': 'b' });
  const { follower, taken } = await followed(folder, () => 0);
  renameSync(join(folder, 'a.yaml'), join(folder, 'a.yaml~'));
  for (let look = 0; look < 5; look++) await follower.look();
  assert.equal(existsSync(join(folder, 'a.yaml')), false);
  writeFileSync(join(folder, 'a.yaml'), 'a2');
  await until(() => taken.length > 0);
  await follower.stop();
  assert.deepEqual(taken, [['a2', 'b']]);
});
