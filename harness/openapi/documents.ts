import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { componentsFolder } from '../components/folder.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 300_000;

/** npm packages that ship large or odd OpenAPI documents, and where in them. */
const PACKAGES = {
  github: { name: '@octokit/openapi', version: '23.0.2', paths: ['generated/api.github.com.json'] },
  examples: { name: '@readme/oas-examples', version: '8.2.2', paths: ['2.0', '3.0', '3.1'] },
} as const;

/**
 * The folder with a package's documents, fetched by npm once and kept beside the components. Without a registry: why not; in CI
 * that throws.
 */
export async function documentsOf(
  which: keyof typeof PACKAGES,
): Promise<{ readonly folder: string } | { readonly skip: string }> {
  const { name, version, paths } = PACKAGES[which];
  const folder = join(componentsFolder(), 'openapi', `${which}-${version}`);
  if (existsSync(folder)) return { folder };
  mkdirSync(join(folder, '..'), { recursive: true });
  const scratch = mkdtempSync(`${folder}.`);
  try {
    await npm(['pack', '--silent', '--ignore-scripts', '--pack-destination', scratch, `${name}@${version}`]);
    const [tarball] = readdirSync(scratch).filter((file) => file.endsWith('.tgz'));
    const members = paths.map((path) => `package/${path}`);
    await run('tar', ['-xzf', join(scratch, tarball!), '-C', scratch, ...members], { timeout: TIMEOUT_MS });
    renameSync(join(scratch, 'package'), folder);
    return { folder };
  } catch (error) {
    if (existsSync(folder)) return { folder };
    if (process.env['CI'] === 'true') throw error;
    return { skip: `not here, and npm does not bring it: ${name}@${version}` };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function npm(args: readonly string[]): Promise<void> {
  // the npm of a test run tells its children about itself
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  const own = process.env['npm_execpath'];
  const [command, ...first] = own === undefined ? ['npm'] : [process.execPath, own];
  await run(command, [...first, ...args], { env, timeout: TIMEOUT_MS });
}
