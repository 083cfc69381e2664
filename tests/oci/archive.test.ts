import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { digestOf, isDigest } from '../../scripts/oci/reference.ts';
import { storedGzip, tarOf } from '../../scripts/oci/image.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { component, lacking } from '../../harness/registry/component.ts';
import { succeed } from '../../harness/registry/program.ts';

const folder = scratchFolder();
const CONTENTS = [0, 1, 511, 512, 513, 65_534, 65_535, 65_536, 200_000].map((length) =>
  Buffer.alloc(length, `${length}`),
);

test('tar lists the file with no owner, no time and mode 0644', { skip: await lacking('tar') }, async () => {
  const file = join(folder, 'one.tar');
  for (const content of CONTENTS) {
    writeFileSync(file, tarOf('plugin.wasm', content));
    const listed = await succeed(component('tar'), ['--full-time', '--numeric-owner', '--utc', '-tvf', file]);
    assert.match(listed, new RegExp(`^-rw-r--r-- 0/0 +${content.length} 1970-01-01 00:00:00 plugin\\.wasm\n$`));
    await succeed(component('tar'), ['-xf', file, '-C', folder]);
    assert.deepEqual(readFileSync(join(folder, 'plugin.wasm')), content);
  }
});

test('tar and gzip of the layer are the bytes that they were', () => {
  // recorded once and checked with tar and gzip; every machine and every Node must produce the same
  assert.equal(
    digestOf(tarOf('plugin.wasm', Buffer.from('abc'))),
    'sha256:0f350f547168742119f0a90aa69032b32530aedad687dd65280fa01106cc6e45',
  );
  assert.equal(
    digestOf(storedGzip(Buffer.alloc(70_000, 'abc'))),
    'sha256:7dbdbf50d767bc5e28ff598804ba61b080f78d6f05fe14971d49c57fc8b7a191',
  );
});

test('an archive ends with two blocks of zeros', () => {
  const tar = tarOf('plugin.wasm', Buffer.from('abc'));
  assert.equal(tar.length, 4 * 512);
  assert.ok(tar.subarray(-1024).every((byte) => byte === 0));
});

test('what does not fit into a header is refused', () => {
  assert.throws(() => tarOf('n'.repeat(100), Buffer.alloc(0)), /name too long/);
});

test(
  'gzip unpacks what was stored, with nothing of the machine in its header',
  { skip: await lacking('gzip') },
  async () => {
    const file = join(folder, 'one.gz');
    for (const content of CONTENTS) {
      const packed = storedGzip(content);
      assert.deepEqual(gunzipSync(packed), content);
      assert.equal(packed.subarray(0, 10).toString('hex'), '1f8b08000000000000ff');
      writeFileSync(file, packed);
      await succeed(component('gzip'), ['-t', file]);
    }
  },
);

test('a digest is the SHA-256 of the bytes', () => {
  for (const content of CONTENTS)
    assert.equal(digestOf(content), `sha256:${createHash('sha256').update(content).digest('hex')}`);
  assert.equal(digestOf(Buffer.from('{}')), 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
});

test('a digest has 64 lower-case hex digits', () => {
  assert.ok(isDigest(`sha256:${'0'.repeat(64)}`));
  for (const text of [
    '',
    'sha256:',
    `sha256:${'A'.repeat(64)}`,
    `sha256:${'0'.repeat(63)}`,
    `sha256:${'0'.repeat(64)}\n`,
    `../sha256:${'0'.repeat(64)}`,
  ])
    assert.ok(!isDigest(text), text);
});
