import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { copyLibraries } from './image.ts';

/** An archive of an image that is to the Dockerfile as distroless is: a Node at its place, its libraries, no shell. */
export function writeNodeImage(folder: string): string {
  const root = join(folder, 'node');
  const node = join(root, 'nodejs/bin/node');
  for (const name of [dirname(node), join(root, 'etc'), join(root, 'tmp'), join(root, 'work')])
    mkdirSync(name, { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  copyFileSync(process.execPath, node);
  copyLibraries(process.execPath, root);
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0::/:/bin/sh\nnonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n',
  );
  const archive = join(folder, 'node.tar');
  execFileSync('tar', ['-C', root, '-cf', archive, '.']);
  return archive;
}
