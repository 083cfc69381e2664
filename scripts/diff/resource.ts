import { CORE_SCHEMA, loadAll } from 'js-yaml';
import { DiffError } from './error.ts';
import { readBounded } from '../file/read.ts';
import { decode } from '../file/decode.ts';
import { inputName, type Stdin } from '../file/openPolicy.ts';
import { isSameInAnyOrder, orderedConfig, type PluginConfig } from '../policy/index.ts';
import { pluginConfigIn } from './configShape.ts';

/** A List of every plugin of a mesh; each has at most what etcd takes. */
const MAX_RESOURCE_BYTES = 64 * 1024 * 1024;

/**
 * The plugin config of a resource that `tollgate emit` made, as a file or as `kubectl get -o yaml` prints it: fields sorted,
 * with what the API server added, and beside other resources. Of several policies it is the one that is asked for.
 */
export async function rolledOut(file: string, policy: string, stdin: Stdin): Promise<PluginConfig> {
  const all = documentsOf(await textOf(file, stdin), inputName(file))
    .flatMap(itemsOf)
    .flatMap(configIn);
  const own = all.filter((config) => config.policy === policy);
  const configs = own.length > 0 ? own : all;
  const [config] = configs;
  if (config === undefined)
    throw new DiffError(
      `${inputName(file)}: holds no WasmPlugin or TrafficExtension of Tollgate with a plugin config of version 1`,
    );
  if (configs.some((other) => !isSameInAnyOrder(other, config)))
    throw new DiffError(`${inputName(file)}: holds different plugin configs; name a file with one of them`);
  return config;
}

async function textOf(file: string, stdin: Stdin): Promise<string> {
  const decoded = decode(file === '-' ? await stdin(MAX_RESOURCE_BYTES) : await bytesOf(file));
  if ('rule' in decoded) throw new DiffError(`${inputName(file)}: ${decoded.rule}`);
  return decoded.text;
}

function bytesOf(file: string): Promise<Buffer> {
  return readBounded(file, MAX_RESOURCE_BYTES).catch((error: Error) => {
    throw new DiffError(`${file}: ${error.message}`);
  });
}

function documentsOf(text: string, file: string): unknown[] {
  try {
    return loadAll(text, { schema: CORE_SCHEMA });
  } catch (error) {
    throw new DiffError(`${file}: is no YAML: ${(error as Error).message.split('\n')[0]}`);
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
  const value =
    kind === 'WasmPlugin'
      ? at(spec, 'pluginConfig')
      : kind === 'TrafficExtension'
        ? at(at(spec, 'wasm'), 'pluginConfig')
        : undefined;
  const config = pluginConfigIn(value);
  return config === null ? [] : [orderedConfig(config)];
}

function at(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined;
}
