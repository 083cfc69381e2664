import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import binaryen from 'binaryen';
import { inPackage, packageRoot } from '../scripts/file/packageRoot.ts';
import { decisionOf, Host, loadModule, type Pair } from '../scripts/host/index.ts';
import { KEY, pluginConfig } from './config.ts';

/*
 * The files that a reader goes through to follow one check of a policy, or one request: `node --import tsx harness/walks.ts` prints
 * them. An `@inline` function counts for the file that it is inlined into.
 */

const run = promisify(execFile);

async function withScratch<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-walk-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The project's own files that `tollgate check` of the example loads, as V8 reports them. */
export function checkWalk(): Promise<string[]> {
  return withScratch(async (folder) => {
    await run(process.execPath, [inPackage('scripts', 'bin.mjs'), 'check', 'examples/petstore.policy.yaml'], {
      cwd: packageRoot,
      env: { ...process.env, NODE_V8_COVERAGE: folder },
    });
    const files = new Set<string>();
    for (const name of await readdir(folder)) {
      const { result } = JSON.parse(await readFile(join(folder, name), 'utf8')) as { result: { url: string }[] };
      for (const { url } of result) {
        if (!url.startsWith(pathToFileURL(inPackage('scripts')).href)) continue;
        files.add(relative(packageRoot, fileURLToPath(url.replace(/\?.*$/, ''))));
      }
    }
    return [...files].sort();
  });
}

/** The module's files of which a function runs for one allowed request: key in a header, local quotas, a route by header. */
export function requestWalk(): Promise<string[]> {
  return withScratch(async (folder) => {
    const host = new Host(loadModule(await traced(join(folder, 'debug.wasm'))), { workers: 1, mainThread: false });
    const quotas = ['hour', 'day'].map((window) => ({ name: window, limit: 1000, window }));
    const routes = [{ name: 'v2', headers: [{ name: 'x-api-version', exact: '2' }] }];
    const loaded = host.load(JSON.stringify(pluginConfig(quotas, { routes })));
    if (loaded === null) throw new Error(host.logs().join('\n'));
    const worker = host.workers[0]!;
    const request: Pair[] = [
      [':authority', 'a.test'],
      [':path', '/v1/pets'],
      [':method', 'GET'],
      ['x-api-version', '2'],
      ['x-api-key', KEY],
    ];
    host.request(request);
    const names = worker.exported().filter((name) => name.startsWith(MARK));
    const before = new Map(names.map((name) => [name, worker.global(name)]));
    const decision = decisionOf(host.request(request));
    if (decision?.route !== 'petstore/v2') throw new Error(`not allowed: ${JSON.stringify(decision)}`);
    const ran = names.filter((name) => worker.global(name) !== before.get(name));
    return [...new Set(ran.map((name) => fileOf(name.slice(MARK.length))))].filter((file) => file !== '').sort();
  });
}

const MARK = 'ran ';

/** What binaryen exports and its types leave out. */
const { Function: functionOf } = binaryen as unknown as {
  Function: (reference: number) => { getBody(): number; setBody(body: number): void };
};

/** `filter/decision/decide/decide` is a function of `filter/decision/decide.ts`; functions of the compiler's library are left out. */
function fileOf(name: string): string {
  const path = /^((?:filter|assembly)\/[\w/]+)\//.exec(name.replace(/[#<(~|:].*$/, ''))?.[1];
  return path === undefined ? '' : `${path}.ts`;
}

/** The module compiled without optimization, with every function counting its calls in an exported global. */
async function traced(path: string): Promise<Uint8Array> {
  const asc = join('node_modules', 'assemblyscript', 'bin', 'asc.js');
  const transforms = ['heap', 'literal'].flatMap((name) => ['--transform', `./scripts/build/${name}.mjs`]);
  const abort = ['--use', 'abort=assembly/host/abort'];
  const options = ['--config', 'asconfig.json', '--target', 'release', '-O0', '--debug', ...transforms, ...abort];
  await run(process.execPath, [asc, 'assembly/index.ts', ...options, '--outFile', path], { cwd: packageRoot });
  const module = binaryen.readBinary(await readFile(path));
  try {
    const { BulkMemory, MutableGlobals, NontrappingFPToInt, SignExt } = binaryen.Features;
    module.setFeatures(BulkMemory | MutableGlobals | NontrappingFPToInt | SignExt);
    for (let i = 0; i < module.getNumFunctions(); i++) {
      const { name, module: imported } = binaryen.getFunctionInfo(module.getFunctionByIndex(i));
      if (imported !== '') continue;
      const global = MARK + name;
      module.addGlobal(global, binaryen.i32, true, module.i32.const(0));
      module.addGlobalExport(global, global);
      const one = module.i32.add(module.global.get(global, binaryen.i32), module.i32.const(1));
      const body = functionOf(module.getFunctionByIndex(i));
      body.setBody(module.block(null, [module.global.set(global, one), body.getBody()], binaryen.auto));
    }
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [what, files] of [
    ['one check', await checkWalk()],
    ['one request', await requestWalk()],
  ] as const)
    process.stdout.write(`${what}: ${files.length} files\n${files.map((file) => `  ${file}\n`).join('')}`);
}
