import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { BuildError } from './error.ts';
import { makeFolder } from '../file/makeFolder.ts';
import { inPackage, modulePath, packageRoot } from '../file/packageRoot.ts';
import type { BuiltModule } from './module.ts';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** Features that asc's output uses; wasm-opt must be told, and must use no other. */
const features = [
  '--enable-bulk-memory',
  '--enable-bulk-memory-opt',
  '--enable-sign-ext',
  '--enable-nontrapping-float-to-int',
  '--enable-mutable-globals',
];

const SCRATCH_PREFIX = '.build-';
/** No build takes this long: one whose folder is still there was killed. */
const STALE_MS = 3_600_000;

async function removeStale(folder: string, nowMs: number): Promise<void> {
  for (const name of (await readdir(folder)).filter((name) => name.startsWith(SCRATCH_PREFIX))) {
    const changed = await stat(join(folder, name)).catch(() => null);
    if (changed !== null && nowMs - changed.mtimeMs > STALE_MS)
      await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** A folder beside the output; throws a BuildError at once when no file can be put there, not after a compilation. */
async function scratchFor(output: string): Promise<string> {
  const folder = dirname(output);
  const isFolder = await stat(output).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder)
    throw new BuildError(
      `${output}: is a folder; docker makes one where it mounts a file that is not there yet. Remove it (it may be root's) and build again`,
    );
  try {
    await makeFolder(folder);
    await removeStale(folder, Date.now());
    return await mkdtemp(join(folder, SCRATCH_PREFIX));
  } catch (error) {
    throw new BuildError(`${folder}: cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

/**
 * Compiles `entry` with asc and wasm-opt to `output`. Same sources, same bytes: nothing of the machine goes in. The file
 * appears whole or not at all.
 */
export async function compileModule(entry: string, output: string, asc: string[] = []): Promise<BuiltModule> {
  const scratch = await scratchFor(output);
  try {
    const raw = join(scratch, 'raw.wasm');
    const finished = join(scratch, 'finished.wasm');
    await tool('asc', ascBin(), [
      relative(packageRoot, entry),
      '--config',
      'asconfig.json',
      '--target',
      'release',
      '--transform',
      './scripts/build/heap.mjs',
      '--transform',
      './scripts/build/literal.mjs',
      '--outFile',
      relative(packageRoot, raw),
      ...asc,
    ]);
    await tool('wasm-opt', wasmOptBin(), [
      raw,
      '-o',
      finished,
      '-O3',
      '--converge',
      '--strip-debug',
      '--strip-producers',
      ...features,
    ]);
    const bytes = await readFile(finished);
    await rename(finished, output);
    return { path: output, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const moduleFlags = ['--use', 'abort=assembly/host/abort'];
const entry = inPackage('assembly', 'index.ts');

/** Builds build/tollgate.wasm. */
export async function buildModule(): Promise<BuiltModule> {
  const built = await compileModule(entry, modulePath, moduleFlags);
  await writeFile(`${modulePath}.sources`, await sourcesDigest(entry, moduleFlags));
  return built;
}

/** build/tollgate.wasm as it is when its sources have not changed since it was built; otherwise built anew. */
export async function currentBuild(onBuild?: () => void): Promise<BuiltModule> {
  return upToDate(entry, modulePath, moduleFlags, onBuild);
}

/** True when build/tollgate.wasm was made from the sources as they are now. */
export async function isCurrentBuild(): Promise<boolean> {
  const recorded = await readFile(`${modulePath}.sources`, 'utf8').catch(() => '');
  return recorded === (await sourcesDigest(entry, moduleFlags));
}

/** Like `compileModule`, but leaves an output alone that was made from the same sources. */
export async function upToDate(
  from: string,
  output: string,
  asc: string[] = [],
  onBuild?: () => void,
): Promise<BuiltModule> {
  const recordPath = `${output}.sources`;
  const digest = await sourcesDigest(from, asc);
  const [bytes, recorded] = await Promise.all([
    readFile(output).catch(() => null),
    readFile(recordPath, 'utf8').catch(() => ''),
  ]);
  if (bytes !== null && recorded === digest) {
    return { path: output, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  }
  onBuild?.();
  const built = await compileModule(from, output, asc);
  await writeFile(recordPath, digest);
  return built;
}

/** Digest of everything that goes into a module: the guest's sources, its entry, and how it is compiled. */
async function sourcesDigest(from: string, asc: string[]): Promise<string> {
  const hash = createHash('sha256').update(asc.join(' '));
  for (const folder of new Set(['filter', 'assembly', relative(packageRoot, dirname(from))])) {
    const names = (await readdir(inPackage(folder), { recursive: true })).filter((name) => name.endsWith('.ts')).sort();
    for (const name of names) hash.update(`${folder}/${name}\0`).update(await readFile(inPackage(folder, name)));
  }
  for (const name of [
    'asconfig.json',
    'package.json',
    'scripts/build/compile.ts',
    'scripts/build/heap.mjs',
    'scripts/build/literal.mjs',
  ])
    hash.update(name).update(await readFile(inPackage(name)));
  return hash.digest('hex');
}

async function tool(name: string, script: string, args: string[]): Promise<void> {
  try {
    await run(process.execPath, [script, ...args], { cwd: packageRoot, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const { stderr, stdout } = error as { stderr?: string; stdout?: string };
    throw new BuildError(`${name} failed:\n${stderr || stdout || String(error)}`);
  }
}

function ascBin(): string {
  return join(dirname(require.resolve('assemblyscript/package.json')), 'bin', 'asc.js');
}

function wasmOptBin(): string {
  return join(dirname(require.resolve('binaryen/package.json')), 'bin', 'wasm-opt');
}
