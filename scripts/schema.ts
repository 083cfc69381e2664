import { parseArgs } from 'node:util';
import type { Command } from './command.ts';
import { jsonSchemaText } from './policy/jsonSchema.ts';

const usage = `tollgate schema: prints the JSON Schema of a policy, for editors

usage: tollgate schema

Editors with the YAML language server (VS Code, Neovim, Helix, …) then complete fields, show what they mean and mark
mistakes while you type. Put this line at the top of a policy:

  # yaml-language-server: $schema=./policy.schema.json

The schema knows fields and forms. "tollgate check" knows more: names that lead nowhere, routes that nothing reaches.

example:
  tollgate schema > policy.schema.json`;

export const schema: Command = {
  summary: 'print the JSON Schema of a policy, for editors',
  usage,
  run: async (args, io) => {
    parseArgs({ args, options: {} });
    io.out(jsonSchemaText());
    return 0;
  },
};
