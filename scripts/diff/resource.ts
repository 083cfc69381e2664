import { readFile } from 'node:fs/promises';
import { CORE_SCHEMA, loadAll } from 'js-yaml';
import { Refusal, type Io } from '../command.ts';
import { decode } from '../policy/decode.ts';
import type { PluginConfig } from '../policy/index.ts';
import { inputName } from '../policy/input.ts';

/** A List of kubectl holds several objects, each of up to about 1.5 MB. */
const MAX_RESOURCE_BYTES = 64 * 1024 * 1024;

/** The plugin config of a resource that `tollgate emit` made, as a file or as `kubectl get -o yaml` prints it. */
export async function rolledOut(path: string, io: Io): Promise<PluginConfig> {
  const file = inputName(path);
  const configs = documentsOf(await textOf(path, io), file).flatMap(itemsOf).flatMap(configIn);
  const [config] = configs;
  if (config === undefined) throw new Refusal(`${file}: holds no WasmPlugin or TrafficExtension of Tollgate with a plugin config of version 1`);
  if (configs.some((other) => JSON.stringify(other) !== JSON.stringify(config))) throw new Refusal(`${file}: holds different plugin configs; name a file with one of them`);
  return config;
}

async function textOf(path: string, io: Io): Promise<string> {
  const decoded = decode(await bytesOf(path, io));
  if ('rule' in decoded) throw new Refusal(`${inputName(path)}: ${decoded.rule}`);
  return decoded.text;
}

async function bytesOf(path: string, io: Io): Promise<Buffer> {
  if (path === '-') return io.stdin(MAX_RESOURCE_BYTES);
  try {
    return await readFile(path);
  } catch (error) {
    throw new Refusal(`${path}: cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

function documentsOf(text: string, file: string): unknown[] {
  try {
    return loadAll(text, { schema: CORE_SCHEMA });
  } catch (error) {
    throw new Refusal(`${file}: is no YAML: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** kubectl prints several resources as one List. */
function itemsOf(document: unknown): unknown[] {
  const items = at(document, 'items');
  return Array.isArray(items) ? items : [document];
}

function configIn(resource: unknown): PluginConfig[] {
  const kind = at(resource, 'kind');
  const spec = at(resource, 'spec');
  const config = kind === 'WasmPlugin' ? at(spec, 'pluginConfig') : kind === 'TrafficExtension' ? at(at(spec, 'wasm'), 'pluginConfig') : undefined;
  return isPluginConfig(config) ? [config] : [];
}

function isPluginConfig(config: unknown): config is PluginConfig {
  const isNamed = (list: unknown): boolean => Array.isArray(list) && list.every((item) => typeof at(item, 'name') === 'string');
  const hasLists = (list: unknown, field: string): boolean => (list as unknown[]).every((item) => Array.isArray(at(item, field)));
  return at(config, 'version') === 1 && Array.isArray(at(config, 'keySources')) && ['apis', 'plans', 'consumers'].every((field) => isNamed(at(config, field))) &&
    hasLists(at(config, 'apis'), 'paths') && hasLists(at(config, 'apis'), 'plans');
}

function at(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined;
}
