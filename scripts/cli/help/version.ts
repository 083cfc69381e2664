import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Command } from '../command.ts';
import { shippedModule } from '../../build/module.ts';
import { cleanRevision } from '../../build/product.ts';
import type { PluginConfig } from '../../contract/pluginConfig.ts';
import { NEWEST_WHEEL, OLDEST_WHEEL } from '../../envoy/find.ts';
import { packageJson } from '../../file/packageJson.ts';
import { isCheckout, modulePath, packageRoot } from '../../file/packageRoot.ts';
import { ABI_VERSION } from '../../host/abi.ts';

const usage = `tollgate version: says which tool and which module this is

usage: tollgate version [--json]

  --json    prints { tool, module: { bytes, sha256, revision }, pluginConfig, proxyWasm, envoy: { oldest, newest }, node }

The module's digest is that of the wasm file, as "tollgate build" prints it; in a checkout that has not been built there is
none. revision: the commit that the module was built from, where that is sure. pluginConfig: the version of the compiled
policies that tool and module speak. envoy: the versions at both ends of the range that the tests cover.

examples:
  tollgate version
  tollgate version --json | jq -r .module.sha256`;

/** The version of the plugin config that the compiler writes. */
const CONFIG_VERSION: PluginConfig['version'] = 1;

export interface Versions {
  readonly tool: string;
  /** Null: not built yet. */
  readonly module: { readonly bytes: number; readonly sha256: string; readonly revision: string | null } | null;
  readonly pluginConfig: number;
  readonly proxyWasm: string;
  readonly envoy: { readonly oldest: string; readonly newest: string };
  readonly node: string;
}

export const version: Command = {
  usage,
  run: async (args, io) => {
    const { values } = parseArgs({ args, options: { json: { type: 'boolean', default: false } } });
    const found = await versions();
    io.out(values.json ? `${JSON.stringify(found, null, 2)}\n` : describe(found));
    return 0;
  },
};

async function versions(): Promise<Versions> {
  return {
    tool: (await packageJson()).version,
    module: await moduleHere(),
    pluginConfig: CONFIG_VERSION,
    proxyWasm: ABI_VERSION,
    envoy: { oldest: OLDEST_WHEEL, newest: NEWEST_WHEEL },
    node: process.versions.node,
  };
}

/** The module as it lies there: to say a version is no reason to build. */
async function moduleHere(): Promise<Versions['module']> {
  const wasm = await readFile(modulePath).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (wasm === null) return null;
  const sha256 = createHash('sha256').update(wasm).digest('hex');
  return { bytes: wasm.length, sha256, revision: await revisionOf(sha256) };
}

async function revisionOf(sha256: string): Promise<string | null> {
  // what lies in build/ may be older than the commit that is checked out
  if (isCheckout) return (await isCurrent()) ? cleanRevision(packageRoot) : null;
  const shipped = await shippedModule();
  return shipped.sha256 === sha256 ? shipped.revision : null;
}

async function isCurrent(): Promise<boolean> {
  return (await import('../../build/compile.ts')).isCurrentBuild();
}

function describe({ tool, module, pluginConfig, proxyWasm, envoy, node }: Versions): string {
  const built =
    module === null
      ? 'not built yet'
      : `sha256:${module.sha256} (${module.bytes} bytes${module.revision === null ? '' : `, commit ${module.revision}`})`;
  return `tollgate ${tool}
module         ${built}
plugin config  version ${pluginConfig}
proxy-wasm     ABI ${proxyWasm}
Envoy          tested on ${envoy.oldest} to ${envoy.newest}
Node.js        ${node}
`;
}
