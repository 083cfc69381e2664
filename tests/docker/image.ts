import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Programs beside Envoy that the official image has, as far as Tollgate or the entrypoint uses them. */
const PROGRAMS = ['sh', 'id', 'mv', 'su', 'chown'];

/** Like the official image's: an Envoy started as root becomes the user envoy, unless $ENVOY_UID is 0. */
const ENTRYPOINT = `#!/bin/sh
set -e
if [ "$ENVOY_UID" != 0 ] && [ "$(id -u)" = 0 ]; then
  chown envoy:envoy /dev/stdout /dev/stderr
  exec su envoy -s /bin/sh -c 'exec "$0" "$@"' -- "$@"
fi
exec "$@"
`;

/** An archive of an image that is to Tollgate as the official one is: the same Envoy, entrypoint and user. */
export function writeImage(folder: string, { envoy, busybox }: { envoy: string; busybox: string }): string {
  const root = join(folder, 'root');
  for (const name of ['usr/local/bin', 'bin', 'etc/envoy', 'tmp']) mkdirSync(join(root, name), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  cpSync(envoy, join(root, 'usr/local/bin/envoy'));
  copyLibraries(envoy, root);
  copyFileSync(realpathSync(busybox), join(root, 'bin/busybox'));
  for (const name of PROGRAMS) symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\nenvoy:x:101:101::/:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nenvoy:x:101:\n');
  writeFileSync(join(root, 'docker-entrypoint.sh'), ENTRYPOINT, { mode: 0o755 });
  const archive = join(folder, 'image.tar');
  execFileSync('tar', ['-C', root, '-cf', archive, '.']);
  return archive;
}

/** How the archive becomes an image: arguments of `docker import` before its name. */
export const IMPORT = [
  '--change',
  'ENTRYPOINT ["/docker-entrypoint.sh"]',
  '--change',
  'CMD ["envoy", "-c", "/etc/envoy/envoy.yaml"]',
  '--change',
  'ENV PATH=/usr/local/bin:/bin',
];

/** Copies the libraries that the program is linked with to their places below `root`. */
export function copyLibraries(program: string, root: string): void {
  for (const library of librariesOf(program)) {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    copyFileSync(realpathSync(library), join(root, library));
  }
}

function librariesOf(program: string): string[] {
  const lines = execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n');
  return lines.map((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1]).filter((path) => path !== undefined);
}
