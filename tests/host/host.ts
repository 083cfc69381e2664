import { ACTION_CONTINUE } from './abi.ts';
import { HeaderMap } from './headerMap.ts';
import { localReply } from './localReply.ts';
import type { Context, Plugin, Root } from './context.ts';
import type { Pair } from './pairs.ts';
import { Process, type LogLine } from './process.ts';
import { Stream } from './stream.ts';
import { Vm } from './vm.ts';
import type { WasmModule } from './webAssembly.ts';

/** One configuration in force or draining, and its root in each VM that has it. */
export interface Generation {
  readonly number: number;
  readonly plugin: Plugin;
  readonly roots: Map<Vm, Root>;
}

export interface Exchange {
  readonly response: HeaderMap;
  readonly body: string;
  /** What the upstream received, or null when the request ended here. */
  readonly upstream: HeaderMap | null;
  readonly details: string;
  readonly filterState: ReadonlyMap<string, string>;
}

export interface HostOptions {
  readonly workers?: number;
  readonly startMs?: number;
  readonly pluginName?: string;
  /** Response headers of the upstream. */
  readonly upstream?: (request: HeaderMap) => Pair[];
}

const UPSTREAM_ANSWER: Pair[] = [[':status', '200'], ['content-type', 'application/json']];

/** An Envoy process as the module sees it: a VM per worker, one on the main thread, and a canary per configuration. */
export class Host {
  readonly process: Process;
  readonly main: Vm;
  readonly workers: Vm[];
  /** Configurations that still serve or drain, oldest first. */
  readonly generations: Generation[] = [];
  private readonly pluginName: string;
  private readonly upstream: (request: HeaderMap) => Pair[];
  private loaded = 0;

  constructor(
    private readonly module: WasmModule,
    options: HostOptions = {},
  ) {
    this.process = new Process(options.startMs ?? Date.UTC(2026, 0, 15, 12));
    this.main = new Vm(module, this.process, 'main');
    this.workers = Array.from({ length: options.workers ?? 1 }, (_, i) => new Vm(module, this.process, `worker ${i}`));
    this.pluginName = options.pluginName ?? 'tollgate';
    this.upstream = options.upstream ?? (() => UPSTREAM_ANSWER);
  }

  get vms(): Vm[] {
    return [this.main, ...this.workers];
  }

  get newest(): Generation | undefined {
    return this.generations.at(-1);
  }

  /** Canary, main thread, then workers. Null when the canary refuses: what served before still serves. */
  load(configuration: string | Buffer, options: { only?: number[] } = {}): Generation | null {
    const bytes = Buffer.from(configuration);
    const alive = this.generations.findIndex((generation) => generation.plugin.configuration.equals(bytes));
    // Envoy finds a root by the digest of its configuration, also one that is draining.
    if (alive >= 0) {
      const [generation] = this.generations.splice(alive, 1);
      this.generations.push(generation!);
      this.rollOut(generation!, options.only);
      return generation!;
    }
    const plugin: Plugin = { name: this.pluginName, rootId: this.pluginName, configuration: bytes };
    const canary = new Vm(this.module, this.process, `canary ${++this.loaded}`);
    if (canary.startRoot(plugin) === null) return null;
    const generation: Generation = { number: this.loaded, plugin, roots: new Map() };
    this.start(generation, this.main);
    this.generations.push(generation);
    this.rollOut(generation, options.only);
    return generation;
  }

  /** Gives a configuration to workers that do not have it yet: each takes it at its own moment. */
  rollOut(generation: Generation, only?: number[]): void {
    this.workers.forEach((vm, i) => {
      if (only === undefined || only.includes(i)) this.start(generation, vm);
    });
  }

  retire(generation: Generation): void {
    for (const [vm, root] of generation.roots) vm.retire(root);
    this.generations.splice(this.generations.indexOf(generation), 1);
  }

  retireAllButNewest(): void {
    for (const generation of this.generations.slice(0, -1)) this.retire(generation);
  }

  /** One request through a worker, under the newest configuration that worker has unless told otherwise. */
  request(headers: readonly Pair[], options: { worker?: number; generation?: Generation } = {}): Exchange {
    const vm = this.workers[options.worker ?? 0]!;
    const generation = options.generation ?? this.generations.findLast((candidate) => candidate.roots.has(vm));
    const root = generation?.roots.get(vm);
    if (root === undefined) throw new Error('no configuration loaded');
    const stream = new Stream(headers);
    const context = vm.openStream(root, stream);
    const action = vm.call(context, 'proxy_on_request_headers', context.id, stream.request.pairs.length, 1);
    const exchange = this.finish(vm, context, stream, action);
    vm.closeStream(context);
    return exchange;
  }

  /** Lets time pass, with the ticks that fall due in it. */
  pass(ms: number): void {
    const { clock } = this.process;
    const end = clock.elapsed + ms;
    for (;;) {
      const due = Math.min(...this.timers().map(([, root]) => root.nextTickMs), Infinity);
      if (due > end) break;
      clock.pass(Math.max(0, due - clock.elapsed));
      this.tickDue();
    }
    clock.pass(end - clock.elapsed);
  }

  /** A tick of every root now, whatever its period says. */
  tick(): void {
    for (const [vm, root] of this.timers()) if (root.tickPeriodMs > 0) vm.tick(root);
  }

  logs(level?: LogLine['level']): string[] {
    return this.process.logs.filter((line) => level === undefined || line.level === level).map((line) => line.message);
  }

  get faults(): string[] {
    return this.process.faults;
  }

  private finish(vm: Vm, context: Context, stream: Stream, action: number | undefined): Exchange {
    const local = stream.localResponse;
    if (vm.failed !== null) return closed(stream);
    if (local === null && action !== ACTION_CONTINUE) {
      this.faults.push(`${vm.name}: request paused (${action}) without a reply`);
      return closed(stream);
    }
    const reply = local && localReply(stream.request, local);
    stream.requestVisible = local !== null;
    const upstream = local === null ? new HeaderMap(stream.request.pairs) : null;
    stream.response = reply?.headers ?? new HeaderMap(this.upstream(stream.request));
    vm.call(context, 'proxy_on_response_headers', context.id, stream.response.pairs.length, local === null ? 0 : 1);
    return {
      response: stream.response,
      body: reply?.body ?? '',
      upstream,
      details: local?.details ?? 'via_upstream',
      filterState: stream.filterState,
    };
  }

  private start(generation: Generation, vm: Vm): void {
    if (generation.roots.has(vm)) return;
    const root = vm.startRoot(generation.plugin);
    if (root !== null) generation.roots.set(vm, root);
    else this.faults.push(`${vm.name}: refused a configuration its canary took`);
  }

  private timers(): [Vm, Root][] {
    return this.vms.flatMap((vm) => [...vm.roots.values()].map((root): [Vm, Root] => [vm, root]));
  }

  private tickDue(): void {
    for (const [vm, root] of this.timers()) {
      if (root.nextTickMs > this.process.clock.elapsed) continue;
      root.nextTickMs = this.process.clock.elapsed + root.tickPeriodMs;
      vm.tick(root);
    }
  }
}

/** What FAIL_CLOSED answers for a dead VM. */
function closed(stream: Stream): Exchange {
  const response = new HeaderMap([[':status', '503']]);
  return { response, body: '', upstream: null, details: 'wasm_fail_stream', filterState: stream.filterState };
}
