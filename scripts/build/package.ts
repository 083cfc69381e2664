import { execFileSync } from 'node:child_process';
import { copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { inPackage, packageRoot } from '../file/packageRoot.ts';
import { cleanRevision, installedIngredients } from './product.ts';
import { currentModule, type ShippedModule } from './module.ts';

/**
 * What `npm pack` puts into the package beside the files that are there anyway: dist/ with the tool as JavaScript and types,
 * the module, what is known about it, and the man page. Whole or not at all, so that no package is made of half a build.
 */
const output = inPackage('dist');
const scratch = await mkdtemp(inPackage('.dist-'));
try {
  const built = await currentModule();
  compile(scratch);
  const about: ShippedModule = {
    bytes: built.bytes,
    sha256: built.sha256,
    revision: await cleanRevision(packageRoot),
    ingredients: await installedIngredients(),
  };
  // made by a process of its own: the command line imports what is here, not the other way round
  await writeFile(join(scratch, 'tollgate.1'), run([inPackage('scripts', 'bin.mjs'), 'help', '--man']));
  await copyFile(built.path, join(scratch, 'tollgate.wasm'));
  await writeFile(join(scratch, 'module.json'), `${JSON.stringify(about, null, 2)}\n`);
  await rm(output, { recursive: true, force: true });
  await rename(scratch, output);
} finally {
  await rm(scratch, { recursive: true, force: true });
}

function compile(folder: string): void {
  const tsc = inPackage('node_modules', 'typescript', 'bin', 'tsc');
  const args = ['--project', 'tsconfig.build.json', '--outDir', basename(folder)];
  execFileSync(process.execPath, [tsc, ...args], { cwd: packageRoot, stdio: 'inherit' });
}

function run(args: readonly string[]): Buffer {
  return execFileSync(process.execPath, args, { cwd: packageRoot, stdio: ['ignore', 'pipe', 'inherit'] });
}
