import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { program, succeed } from '../../harness/registry/program.ts';
import type { Scene } from './scene.ts';

/** Addresses of the whole internet, on the loopback device of a network namespace: nothing leaves this machine. */
const ADDRESSES = ['8.8.8.8', '1.1.1.1', '10.0.0.1', '169.254.169.254'];
const HOSTS = [
  '127.0.0.1 localhost',
  '8.8.8.8 registry.example.com',
  '1.1.1.1 storage.example.net',
  '10.0.0.1 inside.example.com',
  '169.254.169.254 metadata.example.com',
  '127.0.0.1 here.example.com',
];

const folder = scratchFolder();
const hosts = join(folder, 'hosts');
writeFileSync(hosts, `${HOSTS.join('\n')}\n`);
const setUp = [
  'ip link set lo up',
  ...ADDRESSES.map((address) => `ip addr add ${address}/32 dev lo`),
  `mount --bind ${hosts} /etc/hosts`,
].join(' && ');
const inside = (command: string): [string, string[]] => [
  'unshare',
  ['--map-root-user', '--net', '--mount', 'sh', '-c', `${setUp} && ${command}`],
];

/** Not every kernel allows network namespaces; reach.test.ts tests the same on addresses, without connections. */
const skip = await program(...inside('true')).then(
  ({ code, err }) => (code === 0 ? false : `no network namespace here: ${err.trim().slice(0, 80)}`),
  (error: NodeJS.ErrnoException) => `no network namespace here: ${error.code}`,
);

const scenes: Scene[] =
  skip !== false
    ? []
    : (JSON.parse(
        await succeed(...inside(`${process.execPath} --import tsx ${inPackage('tests', 'oci', 'scene.ts')}`)),
      ) as Scene[]);

test('a public registry is pushed to, with an upload to public storage', { skip }, () => {
  const { error, inner } = scenes.find(({ way }) => way === 'honest')!;
  assert.deepEqual([error, inner], ['', []]);
});

for (const way of ['realm', 'upload', 'look-up', 'greeting', 'token redirect']) {
  test(
    `a public registry that sends inside (${way}) is refused before anything is sent there, and at once`,
    { skip },
    () => {
      const of = scenes.filter((scene) => scene.way === way && !scene.allowed);
      assert.ok(of.length >= 6);
      for (const { error, inner, retries, to } of of) {
        assert.match(
          error,
          /sends to \S+( \(\S+\))?, a (private|loopback|link-local) address, and is itself at a public one; that is refused; if it is meant, say --allow-host \S+$/,
          to,
        );
        assert.deepEqual([inner, retries], [[], 0], to);
      }
    },
  );
}

test('--allow-host lets it', { skip }, () => {
  const of = scenes.filter(({ allowed }) => allowed);
  assert.ok(of.length >= 2);
  for (const { error, inner } of of) {
    assert.ok(inner.length > 0);
    assert.doesNotMatch(error, /that is refused/);
  }
});
