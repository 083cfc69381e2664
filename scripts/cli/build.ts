import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { Refusal, type Command, type Io } from './command.ts';
import { currentModule } from '../build/module.ts';
import { isCheckout } from '../file/packageRoot.ts';

export const build: Command = {
  usage: `tollgate build: compiles the module that runs inside Envoy

usage: tollgate build [--json]

Compiles filter/ and assembly/ to build/tollgate.wasm (asc, then wasm-opt) and prints its size and SHA-256 digest.
The same sources give the same bytes on every machine, so the digest can be compared. Only in a checkout: an installed
package brings the built module along.

  --json    print {"path", "bytes", "sha256"} instead

example:
  tollgate build`,

  async run(args: string[], io: Io): Promise<number> {
    const { values } = parseArgs({ args, options: { json: { type: 'boolean', default: false } } });
    if (!isCheckout) throw new Refusal(await withoutSources());
    if (io.isTerminal) io.err('compiling the module …\n');
    const { buildModule } = await import('../build/compile.ts');
    const built = await buildModule();
    const path = relative(process.cwd(), built.path);
    io.out(
      values.json
        ? `${JSON.stringify({ ...built, path })}\n`
        : `${path}  ${built.bytes} bytes  sha256:${built.sha256}\n`,
    );
    return 0;
  },
};

async function withoutSources(): Promise<string> {
  const { path, bytes, sha256 } = await currentModule();
  return `tollgate build: needs a checkout; an installed package has no sources of the module, only the built one:
  ${path}  ${bytes} bytes  sha256:${sha256}`;
}
