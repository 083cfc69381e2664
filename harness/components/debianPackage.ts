import { existsSync } from 'node:fs';
import { runToEnd } from '../../scripts/program/run.ts';

/** Installs Debian packages; returns null, or why that failed. */
export async function installPackages(packages: readonly string[]): Promise<string | null> {
  const yourself = `install it yourself: apt-get install ${packages.join(' ')}`;
  if (!existsSync('/usr/bin/apt-get'))
    return `no apt-get here; put the programs on PATH or into $TOLLGATE_COMPONENTS (packages ${packages.join(', ')})`;
  if (process.getuid?.() !== 0) return `not root; ${yourself}`;
  // etcd and the registry would be started as services, which only the owner of a machine with services may decide
  if (existsSync('/run/systemd/system') && process.env['CI'] !== 'true')
    return `the packages would start services; ${yourself}`;
  const install = ['install', '-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...packages];
  if ((await aptGet(install)) === null) return null;
  // container images often have no package lists, or old ones
  return (await aptGet(['update', '-qq'])) ?? (await aptGet(install));
}

async function aptGet(args: string[]): Promise<string | null> {
  const { code, stderr } = await runToEnd('apt-get', args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return code === 0 ? null : `apt-get ${args[0]}: ${stderr.trim().split('\n').at(-1) || `exit code ${code}`}`;
}
