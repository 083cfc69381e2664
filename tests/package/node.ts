import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { componentsFolder } from '../../harness/components/folder.ts';
import { npm } from './packed.ts';

/** The oldest that the package says it runs on, and two of the newer lines. */
export const VERSIONS = ['20.12.0', '22.20.0', '24.9.0'] as const;

function folderOf(version: string): string {
  return join(componentsFolder(), 'node', version);
}

/** The program, or null where nobody has fetched it. */
export function nodeOf(version: string): string | null {
  const path = join(folderOf(version), 'bin', 'node');
  return existsSync(path) ? path : null;
}

/** Fetches the versions that are missing from npm, which has them as packages for each platform; nothing of them is run. */
export function fetchNodes(progress: (line: string) => void): void {
  for (const version of VERSIONS) {
    if (nodeOf(version) !== null) continue;
    const parent = join(componentsFolder(), 'node');
    mkdirSync(parent, { recursive: true });
    const scratch = mkdtempSync(join(parent, 'unpack-'));
    try {
      progress(`Node.js ${version}: fetching`);
      const name = `node-${process.platform}-${process.arch}@${version}`;
      npm(['pack', '--silent', '--pack-destination', scratch, name], scratch);
      const [tarball] = readdirSync(scratch);
      execFileSync('tar', ['-xzf', join(scratch, tarball!), '-C', scratch]);
      renameSync(join(scratch, 'package'), folderOf(version));
    } catch (error) {
      progress(`Node.js ${version}: cannot be had: ${(error as Error).message.split('\n')[0]}`);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }
}
