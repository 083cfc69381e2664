import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type Command, UsageError } from '../command.ts';
import { packageJson } from '../../file/packageJson.ts';
import { inPackage, isCheckout, packageRoot } from '../../file/packageRoot.ts';
import { type Catalogue, usagesOf } from './catalogue.ts';

const usage = `tollgate help: says what a command takes

usage: tollgate help [COMMAND] [--man]

  COMMAND    the same as "tollgate COMMAND --help"; without it, a list of all commands
  --man      prints the man page of the whole tool, which "npm install --global" installs as tollgate(1)

examples:
  tollgate help emit
  tollgate help --man | man -l -`;

/** `overview`: what `tollgate --help` prints. */
export function helpOf(catalogue: Catalogue, overview: string): Command {
  return {
    usage,
    run: async (args, io) => {
      const { values, positionals } = parseArgs({
        args,
        allowPositionals: true,
        options: { man: { type: 'boolean', default: false } },
      });
      const [name, ...more] = positionals;
      if (values.man && name !== undefined) throw new UsageError('--man is about all commands');
      if (more.length > 0) throw new UsageError(`takes one COMMAND; found ${positionals.length}`);
      if (values.man) io.out(await manText(catalogue, overview));
      else if (name === undefined) io.out(overview);
      else if (Object.hasOwn(catalogue, name)) io.out(`${(await catalogue[name]!.load()).usage}\n`);
      else {
        const { unknownCommand } = await import('./meant.ts');
        io.err(`tollgate: ${unknownCommand(name, Object.keys(catalogue))}\n`);
        return 2;
      }
      return 0;
    },
  };
}

/** A package holds the page that was made with it. */
async function manText(catalogue: Catalogue, overview: string): Promise<string> {
  if (!isCheckout) return readFile(inPackage('dist', 'tollgate.1'), 'utf8');
  const [{ manPage }, { commitDate }] = await Promise.all([import('./man.ts'), import('../../build/product.ts')]);
  const [usages, { version }, date] = await Promise.all([usagesOf(catalogue), packageJson(), commitDate(packageRoot)]);
  return manPage({ overview, usages, version, date });
}
