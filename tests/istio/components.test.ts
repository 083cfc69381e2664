import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findComponent } from '../../harness/components/find.ts';
import { underLock } from '../../harness/components/lock.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-components-'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('a component is taken from $TOLLGATE_COMPONENTS first', async () => {
  await writeFile(join(folder, 'crane'), '#!/bin/sh\n');
  await chmod(join(folder, 'crane'), 0o755);
  assert.equal(await findComponent('crane', { TOLLGATE_COMPONENTS: folder }), join(folder, 'crane'));
});

test('a component from the Debian packages is taken from PATH', async () => {
  await writeFile(join(folder, 'umoci'), '#!/bin/sh\n');
  await chmod(join(folder, 'umoci'), 0o755);
  assert.equal(await findComponent('umoci', { PATH: folder }), join(folder, 'umoci'));
});

test('a component that was built from another lock is built again', async () => {
  const cache = join(folder, 'cache');
  await mkdir(join(cache, 'tollgate', 'bin'), { recursive: true });
  await mkdir(join(cache, 'tollgate', 'stamps'));
  await writeFile(join(cache, 'tollgate', 'bin', 'crane'), '#!/bin/sh\n', { mode: 0o755 });
  await writeFile(join(cache, 'tollgate', 'stamps', 'crane'), 'built from something else\n');
  assert.equal(await findComponent('crane', { XDG_CACHE_HOME: cache }), null);
});

test('two builds under one lock run one after the other', async () => {
  const path = join(folder, 'lock');
  let running = 0;
  let most = 0;
  let told = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 50));
    running--;
  };
  await Promise.all([1, 2, 3].map(() => underLock(path, () => told++, work)));
  assert.deepEqual([most, told], [1, 2]);
});

test('the lock of a process that has died is taken over', async () => {
  const path = join(folder, 'dead');
  // above the largest process id of any Linux
  await writeFile(path, '4194305');
  let told = 0;
  assert.equal(
    await underLock(
      path,
      () => told++,
      async () => 'done',
    ),
    'done',
  );
  assert.equal(told, 0);
});
