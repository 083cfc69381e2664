import { parseArgs } from 'node:util';
import { UsageError, type Command, compileTime, printTo } from './command.ts';
import { openPolicy } from '../file/openPolicy.ts';
import { compilePolicy, printWarnings } from '../policy/index.ts';

const usage = `tollgate compile: turns a policy into the plugin config that the module reads

usage: tollgate compile POLICY [--pretty] [--at TIME] [-o FILE]

  POLICY            a policy, a file or a folder; - reads standard input
  --pretty          indents the JSON
  --at TIME         for policies with calendars: time zones for the years around this time, such as 2026-01-31T00:00:00Z; the result
                    is the same for all times of a year. Default: $SOURCE_DATE_EPOCH (seconds since 1970), else now
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
      options: {
        pretty: { type: 'boolean', default: false },
        at: { type: 'string' },
        out: { type: 'string', short: 'o' },
      },
    });
    const [file] = positionals;
    if (file === undefined || positionals.length > 1)
      throw new UsageError(`takes one POLICY; found ${positionals.length}`);
    const atSeconds = compileTime(values.at);
    const opened = await openPolicy(file, io.stdin);
    for (const line of printWarnings(opened)) io.err(`${line}\n`);
    const config = compilePolicy(opened.policy, atSeconds);
    await printTo(values.out, `${JSON.stringify(config, null, values.pretty ? 2 : 0)}\n`, io);
    return 0;
  },
};
