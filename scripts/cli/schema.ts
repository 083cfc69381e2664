import { parseArgs } from 'node:util';
import { type Command, printTo } from './command.ts';
import { packageJson, schemaUrl } from '../file/packageJson.ts';
import { jsonSchemaText } from '../policy/schema/policy.ts';

const usage = `tollgate schema: prints the JSON Schema of a policy, for editors

usage: tollgate schema [--url] [-o FILE]

  --url             prints the address at which this version's schema is published instead
  -o, --out FILE    write into FILE, whole or not at all; - (default) prints

Editors with the YAML language server (VS Code, Neovim, Helix, …) then complete fields, show what they mean and mark
mistakes while you type. Put this line at the top of a policy:

  # yaml-language-server: $schema=./policy.schema.json

"tollgate init" writes policies that name the published schema.

The schema knows fields and forms. "tollgate check" knows more: names that lead nowhere, routes that nothing reaches.

examples:
  tollgate schema -o policy.schema.json
  tollgate schema --url`;

export const schema: Command = {
  usage,
  run: async (args, io) => {
    const { values } = parseArgs({
      args,
      options: { url: { type: 'boolean', default: false }, out: { type: 'string', short: 'o' } },
    });
    await printTo(values.out, values.url ? `${schemaUrl(await packageJson())}\n` : jsonSchemaText(), io);
    return 0;
  },
};
