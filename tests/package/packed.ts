import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inPackage, packageRoot } from '../../scripts/file/packageRoot.ts';

export interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly repository: { readonly url: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
}

export const about = JSON.parse(readFileSync(inPackage('package.json'), 'utf8')) as PackageJson;

/** The tarball that `npm pack` makes of this checkout: `$TOLLGATE_TARBALL` where the suite has made it once for all files. */
export function packed(): string {
  return process.env['TOLLGATE_TARBALL'] ?? pack();
}

/** A new tarball, gone when this process ends. */
export function pack(folder = mkdtempSync(join(tmpdir(), 'tollgate-packed-'))): string {
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  npm(['pack', '--silent', '--pack-destination', folder], packageRoot);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  return join(folder, tarball!);
}

/** Installs the tarball into the folder as a stranger would, but without a registry; the installed package's folder. */
export function install(tarball: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  npm(['install', '--offline', '--no-audit', '--no-fund', '--silent', tarball], folder);
  return join(folder, 'node_modules', ...about.name.split('/'));
}

export function npm(args: string[], cwd: string): void {
  // the npm of a test run tells its children about itself
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  // the npm that runs this, not the old one that a test tool brings into node_modules/.bin
  const own = process.env['npm_execpath'];
  const [command, ...first] = own ? [process.execPath, own] : ['npm'];
  execFileSync(command, [...first, ...args], { cwd, env, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Every file below a folder with its mode and digest: two that are equal hold the same, byte for byte. */
export function fingerprint(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(folder, name);
      const stat = lstatSync(path);
      if (stat.isSymbolicLink()) return `${name} -> ${readlinkSync(path)}`;
      if (stat.isDirectory()) return `${name}/ ${stat.mode.toString(8)}`;
      return `${name} ${stat.mode.toString(8)} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
    });
}

/** Bytes of all files below a folder. */
export function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => lstatSync(join(folder, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}

/** Nobody may write into the folder any more, not even its owner. */
export function freeze(folder: string): void {
  const { status } = spawnSync('chmod', ['-R', 'a-w,a+rX', folder]);
  if (status !== 0) throw new Error(`chmod failed for ${folder}`);
}
