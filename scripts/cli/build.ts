import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import type { Command, Io } from './command.ts';
import { buildModule } from '../build/module.ts';

export { buildModule, currentModule } from '../build/module.ts';

export const build: Command = {
  summary: 'compile the module that runs inside Envoy',
  usage: `tollgate build [--json]

Compiles filter/ and assembly/ to build/tollgate.wasm (asc, then wasm-opt) and prints its size and SHA-256 digest.
The same sources give the same bytes on every machine, so the digest can be compared.

  --json    print {"path", "bytes", "sha256"} instead

example
  tollgate build`,

  async run(args: string[], io: Io): Promise<number> {
    const { values } = parseArgs({ args, options: { json: { type: 'boolean', default: false } } });
    if (io.isTerminal) io.err('compiling the module …\n');
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
