import { currentModule } from '../scripts/build/module.ts';
import { pluginConfig } from '../harness/config.ts';
import { Process } from '../scripts/host/process.ts';
import { loadModule } from '../scripts/host/abi.ts';
import { Vm } from '../scripts/host/vm.ts';
import { ENDLESS } from './identity.ts';
import { median } from './statistic.ts';

/** Start time and memory of a VM of Tollgate on the host in Node: the same wasm and the same engine, V8; memory is exact. */
export interface ModuleFacts {
  readonly moduleBytes: number;
  readonly perVm: readonly VmFacts[];
}

export interface VmFacts {
  readonly consumers: number;
  readonly configBytes: number;
  /** Duration of `proxy_on_configure` in a new VM; the median of several. */
  readonly configureMilliseconds: number;
  /** Size of the wasm memory afterwards; it never shrinks. */
  readonly memoryBytes: number;
}

const TIMES = 7;
const NAME = 'bench';

export async function moduleFacts(counts: readonly number[]): Promise<ModuleFacts> {
  const { path, bytes } = await currentModule();
  const module = loadModule(path);
  const quotas = ['hour', 'day', 'month'].map((window) => ({ name: window, limit: ENDLESS, window }));
  const routes = [{ name: 'v2', headers: [{ name: 'x-api-version', exact: '2' }] }];
  const perVm = counts.map((consumers): VmFacts => {
    const configuration = Buffer.from(JSON.stringify(pluginConfig(quotas, { consumers, routes })));
    const runs = Array.from({ length: TIMES }, () => {
      const process = new Process(Date.UTC(2026, 0, 15, 12));
      const vm = new Vm(module, process, NAME);
      const started = performance.now();
      if (vm.startRoot({ name: NAME, rootId: NAME, configuration }) === null)
        throw new Error(`${consumers} consumers: ${process.logs.at(-1)?.message}`);
      return { milliseconds: performance.now() - started, bytes: vm.memory.byteLength };
    });
    return {
      consumers,
      configBytes: configuration.length,
      configureMilliseconds: median(runs.map(({ milliseconds }) => milliseconds)),
      memoryBytes: Math.max(...runs.map(({ bytes: size }) => size)),
    };
  });
  return { moduleBytes: bytes, perVm };
}
