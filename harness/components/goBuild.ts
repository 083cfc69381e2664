import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runToEnd } from '../../scripts/program/run.ts';
import { moduleFolder, type GoComponent } from './component.ts';
import { binary, stampFile } from './folder.ts';

/** This repository's sources that a component is built from, in addition to what go.mod pins. */
const OWN_SOURCES: Record<string, string[]> = {
  wasmfetch: ['wasmfetch/main.go'],
  extauthz: ['main.go'],
  kubectl: ['main.go'],
  kubelet: ['main.go'],
};

/** What a component would be built from now. If it differs from the stamp beside the binary, the binary is built again. */
export async function stampOf(component: GoComponent): Promise<string> {
  const hash = createHash('sha256');
  for (const name of ['go.mod', 'go.sum', ...(OWN_SOURCES[component.name] ?? [])])
    hash.update(await readFile(join(moduleFolder(component.module), name))).update('\0');
  return `${[component.package, ...(await flags(component))].join(' ')}\nsources sha256:${hash.digest('hex')}\n`;
}

export async function isCurrent(component: GoComponent, env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  const kept = await readFile(stampFile(component.name, env), 'utf8').catch(() => null);
  return kept !== null && kept === (await stampOf(component));
}

/** Builds into the cache folder; returns null, or why that failed. Binary and stamp appear complete or not at all. */
export async function goBuild(component: GoComponent): Promise<string | null> {
  const output = binary(component.name);
  const scratch = `${output}.${process.pid}`;
  const stamp = await stampOf(component);
  await mkdir(dirname(output), { recursive: true });
  await mkdir(dirname(stampFile(component.name)), { recursive: true });
  try {
    const failure = await go(component.module, [
      'build',
      ...(await flags(component)),
      '-o',
      scratch,
      component.package,
    ]);
    if (failure !== null) return failure;
    // the old stamp goes first: otherwise a build that dies between the two renames would leave it beside the new binary
    await rm(stampFile(component.name), { force: true });
    await rename(scratch, output);
    await writeFile(`${scratch}.stamp`, stamp);
    await rename(`${scratch}.stamp`, stampFile(component.name));
    return null;
  } finally {
    await Promise.all([rm(scratch, { force: true }), rm(`${scratch}.stamp`, { force: true })]);
  }
}

async function flags({ module, tags }: GoComponent): Promise<string[]> {
  const link = ['-s', '-w', ...(module === 'kube' ? await kubeVersion() : [])];
  // with this repository's commit in the binary, everything would be linked again after each commit
  return ['-buildvcs=false', ...(tags === undefined ? [] : ['-tags', tags]), '-ldflags', link.join(' ')];
}

/** An API server that does not know its own version does not start. */
async function kubeVersion(): Promise<string[]> {
  const lock = await readFile(join(moduleFolder('kube'), 'go.mod'), 'utf8');
  const found = /^\s*k8s\.io\/kubernetes v(\d+)\.(\d+)\.\S+$/m.exec(lock);
  if (found === null) throw new Error('kube/go.mod pins no k8s.io/kubernetes');
  const [line, major, minor] = found;
  const set = (name: string, value: string): string => `-X k8s.io/component-base/version.${name}=${value}`;
  return [set('gitVersion', line.trim().split(' ')[1]!), set('gitMajor', major!), set('gitMinor', minor!)];
}

/** The unpacked sources of Istio, which include its CRDs and bootstrap template. Throws without Go, or without the module. */
export async function istioSource(): Promise<string> {
  const { code, stdout, stderr } = await runToEnd(
    'go',
    ['-C', moduleFolder('istio'), 'mod', 'download', '-json', 'istio.io/istio'],
    { env: environment() },
  );
  if (code !== 0) throw new Error(`go mod download istio.io/istio: ${lastLines(stderr || stdout)}`);
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}

async function go(module: GoComponent['module'], args: string[]): Promise<string | null> {
  const { code, stderr } = await runToEnd('go', ['-C', moduleFolder(module), ...args], { env: environment() });
  if (code === 0) return null;
  return code === null ? 'no Go on PATH' : lastLines(stderr) || `go ${args[0]} ended with exit code ${code}`;
}

/** A user's workspace or flags must not replace what go.mod pins. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, GOWORK: 'off', GOFLAGS: '-mod=readonly' };
}

function lastLines(text: string): string {
  const lines = text
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('go: downloading '));
  return lines.slice(-3).join('; ');
}
