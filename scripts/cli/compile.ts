import { parseArgs } from 'node:util';
import { UsageError, type Command, printTo } from './command.ts';
import { openPolicy } from '../file/openPolicy.ts';
import { compilePolicy, printWarnings } from '../policy/index.ts';

const usage = `tollgate compile: turns a policy into the plugin config that the module reads

usage: tollgate compile POLICY [--pretty] [-o FILE]

  POLICY            a policy, a file or a folder; - reads standard input
  --pretty          indents the JSON
  -o, --out FILE    write into FILE, whole or not at all; - (default) prints

The JSON goes to standard output, or into FILE, and nothing else does; problems and warnings go to standard error.
Policies that mean the same give the same bytes.

examples:
  tollgate compile examples/petstore.policy.yaml --pretty
  tollgate compile petstore.policy.yaml -o plugin-config.json`;

export const compile: Command = {
  usage,
  run: async (args, io) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { pretty: { type: 'boolean', default: false }, out: { type: 'string', short: 'o' } },
    });
    const [file] = positionals;
    if (file === undefined || positionals.length > 1)
      throw new UsageError(`takes one POLICY; found ${positionals.length}`);
    const opened = await openPolicy(file, io.stdin);
    for (const line of printWarnings(opened)) io.err(`${line}\n`);
    await printTo(values.out, `${JSON.stringify(compilePolicy(opened.policy), null, values.pretty ? 2 : 0)}\n`, io);
    return 0;
  },
};
