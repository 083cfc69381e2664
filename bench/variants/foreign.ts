import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageError } from '../../scripts/cli/command.ts';
import { KEY } from '../identity.ts';
import type { Variant } from '../variant.ts';

/** A variant from `--also NAME=PATH[,config=TEXT|FILE]`: a third-party module, or another build of this one. */
export function foreign(option: string): Variant {
  const found = /^([a-z0-9][a-z0-9-]*)=([^,]+)(?:,config=(.*))?$/s.exec(option);
  if (found === null) throw new UsageError(`--also is NAME=PATH or NAME=PATH,config=TEXT|FILE; found "${option}"`);
  const [, name = '', path = '', config = ''] = found;
  const module = resolve(path);
  if (!existsSync(module)) throw new UsageError(`--also ${name}: no file ${path}`);
  return {
    name,
    title: name,
    family: 'foreign',
    status: null,
    key: KEY,
    services: [],
    module: async () => module,
    configuration: () => (config !== '' && existsSync(config) ? readFileSync(config, 'utf8') : config),
  };
}
