import { Refusal } from '../command.ts';
import type { FoundEnvoy } from './find.ts';
import { runToEnd } from './subprocess.ts';
import { NEWEST_WHEEL, versionIn } from './version.ts';

export const IMAGE = `envoyproxy/envoy:v${NEWEST_WHEEL}`;

/**
 * Envoy from its image, on the host's network so that ports and upstreams on loopback mean the same as without docker.
 * `docker run` hands our SIGTERM on to Envoy.
 */
export async function dockerEnvoy(image: string = IMAGE, signal?: AbortSignal): Promise<FoundEnvoy> {
  const { code, stdout, stderr } = await runToEnd('docker', ['run', '--rm', image, 'envoy', '--version'], signal ? { signal } : {});
  const version = versionIn(stdout);
  if (code !== 0 || version === null) throw new Refusal(`docker: cannot run ${image}: ${stderr.trim().split('\n').at(-1) || `exit code ${code}`}`);
  const user = process.getuid && process.getgid ? ['--user', `${process.getuid()}:${process.getgid()}`] : [];
  const prefix = (folder: string): string[] => ['run', '--rm', '--network', 'host', ...user, '-v', `${folder}:${folder}`, image, 'envoy'];
  return { command: 'docker', version, source: 'docker', prefix };
}
