import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Output of real clients when they fail, including the boilerplate that every failure has. */
export const FAILURES = {
  /** docker 28. */
  'no engine': 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
  'not permitted':
    'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.50/version": dial unix /var/run/docker.sock: connect: permission denied',
  'no such image':
    'Error response from daemon: manifest for envoyproxy/envoy:v1.40.0 not found: manifest unknown: manifest unknown',
  /** docker 20. */
  'mounts denied': `docker: Error response from daemon: Mounts denied: \\nThe path /tmp/x is not shared from the host and is not known to Docker.\\nYou can configure shared paths from Docker -> Preferences... -> Resources -> File Sharing..\\nSee 'docker run --help'.`,
  /** docker 28. */
  'no host network': `docker: Error response from daemon: network host is not to be had\\n\\nRun 'docker run --help' for more information`,
} as const;

export type Behaviour = keyof typeof FAILURES | 'works' | 'pulls slowly' | 'pulls for ever';

/** A program `docker` in that folder that runs Envoy as a process of this machine, or fails as the real one does. */
export async function writeStandIn(folder: string, envoy: string, behaviour: Behaviour): Promise<void> {
  const fails = (when: Behaviour, code = 1): string =>
    behaviour === when ? `printf '%b\\n' "$FAILURE" >&2; exit ${code}` : ':';
  const script = `#!/bin/sh
FAILURE=$(cat <<'END'
${behaviour in FAILURES ? FAILURES[behaviour as keyof typeof FAILURES] : ''}
END
)
echo "$@" >> '${folder}/calls'
case "$1" in
version) ${fails('no engine')}; ${fails('not permitted')}; echo 28.2.2 ;;
info) echo '["name=seccomp,profile=builtin"]' ;;
image) ${['pulls slowly', 'pulls for ever', 'no such image'].includes(behaviour) ? 'echo "no such image" >&2; exit 1' : 'echo sha256:0'} ;;
pull) ${fails('no such image')}
  echo 'v1.40.0: Pulling from envoyproxy/envoy'
  for layer in 0123456789ab 123456789abc; do echo "$layer: Pulling fs layer"; done
  echo '0123456789ab: Pull complete'; sleep ${behaviour === 'pulls for ever' ? 60 : 6}; echo '123456789abc: Pull complete' ;;
run) ${fails('mounts denied', 125)}; ${fails('no host network', 125)}
  while [ "\${1#envoyproxy/envoy:}" = "$1" ]; do shift; done; shift
  exec '${envoy}' "$@" ;;
esac
`;
  await writeFile(join(folder, 'docker'), script);
  await chmod(join(folder, 'docker'), 0o755);
}
