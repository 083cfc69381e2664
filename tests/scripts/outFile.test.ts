import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { tollgate } from './fakeIo.ts';

const POLICY = inPackage('examples', 'docker', 'policy.yaml');
const MESH_POLICY = inPackage('tests', 'scripts', 'rateLimitService', 'shop.policy.yaml');
const COMMANDS: [name: string, args: string[], policyAt: number | null][] = [
  ['compile', ['compile', POLICY], 1],
  ['schema', ['schema'], null],
  ['rate-limit-service', ['rate-limit-service', MESH_POLICY], 1],
  ['run --print-bootstrap', ['run', POLICY, '--print-bootstrap'], 1],
];

for (const [name, args, policyAt] of COMMANDS) {
  describe(`${name} -o FILE`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-out-'));
    const file = join(folder, 'out.json');
    after(() => rmSync(folder, { recursive: true, force: true }));

    it('writes what it prints without', async () => {
      const printed = await tollgate(args);
      const { code, out } = await tollgate([...args, '-o', file]);
      assert.deepEqual([code, out], [0, '']);
      assert.equal(readFileSync(file, 'utf8'), printed.out);
      assert.equal((await tollgate([...args, '-o', '-'])).out, printed.out);
    });

    if (policyAt !== null) {
      it('leaves the file as it was when the policy is bad', async () => {
        const bad = join(folder, 'bad.yaml');
        writeFileSync(bad, 'policy: Petstore!\n');
        writeFileSync(file, 'old\n');
        const { code } = await tollgate([...args.map((arg, i) => (i === policyAt ? bad : arg)), '-o', file]);
        assert.deepEqual([code, readFileSync(file, 'utf8')], [1, 'old\n']);
      });
    }

    it('says that a folder, or a file in no folder, cannot be written, and leaves nothing behind', async () => {
      mkdirSync(join(folder, 'dir'), { recursive: true });
      assert.deepEqual(await tollgate([...args, '-o', join(folder, 'dir')]).then(refusal), [
        1,
        `${join(folder, 'dir')}: is a folder; name a file\n`,
      ]);
      const nowhere = join(folder, 'nowhere', 'out.json');
      assert.deepEqual(await tollgate([...args, '-o', nowhere]).then(refusal), [
        1,
        `${nowhere}: cannot be written: ENOENT\n`,
      ]);
      assert.deepEqual(
        readdirSync(folder).filter((found) => found.endsWith('.tmp')),
        [],
      );
    });

    it('keeps a link a link, and the mode of the file', async () => {
      const link = join(folder, 'link.json');
      chmodSync(file, 0o604);
      symlinkSync(file, link);
      assert.equal((await tollgate([...args, '-o', link])).code, 0);
      assert.equal(lstatSync(link).isSymbolicLink(), true);
      assert.equal(statSync(file).mode & 0o777, 0o604);
    });
  });
}

describe('-o', () => {
  it('of run goes with --print-bootstrap', async () => {
    assert.deepEqual(await tollgate(['run', POLICY, '-o', 'x']).then(refusal), [
      2,
      'tollgate run: --out goes with --print-bootstrap; see tollgate run --help\n',
    ]);
    assert.equal(existsSync('x'), false);
  });

  it('/dev/stdout is written to, not replaced', async () => {
    assert.equal((await tollgate(['schema', '-o', '/dev/null'])).code, 0);
    assert.equal(statSync('/dev/null').isCharacterDevice(), true);
  });
});

function refusal({ code, err }: { code: number; err: string }): [number, string] {
  return [
    code,
    err
      .split('\n')
      .filter((line) => !line.includes('warning:'))
      .join('\n'),
  ];
}
