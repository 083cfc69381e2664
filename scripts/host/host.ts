import { parseStatName, type Label, type MetricName } from '../contract/metrics.ts';
import type { Backend } from './grpc.ts';
import { type Plugin, type Root, Vm } from './vm.ts';
import { type CallerFacts, Stream, type Pair } from './stream.ts';
import { type Exchange, OpenRequest, type UpstreamAnswer, closed } from './openRequest.ts';
import { type LogLine, Process, type Timeline } from './process.ts';
import type { WasmModule } from './abi.ts';

type Labels = Readonly<Partial<Record<Label, string>>>;

/** One configuration in force or draining, and its root in each VM that has it. */
export interface Generation {
  readonly number: number;
  readonly plugin: Plugin;
  readonly roots: Map<Vm, Root>;
}

export interface HostOptions {
  readonly workers?: number;
  readonly startMs?: number;
  /** Time shared with other Envoys, in place of `startMs`. */
  readonly timeline?: Timeline;
  /** What answers the guest's gRPC calls; without one no cluster is known. */
  readonly backend?: Backend;
  readonly pluginName?: string;
  /** False leaves out the main thread's VM, which takes configurations and ticks but sees no request. */
  readonly mainThread?: boolean;
  /** Response headers of the upstream. */
  readonly upstream?: UpstreamAnswer;
  /** False: no random bytes, as on a host whose source of them fails. */
  readonly random?: boolean;
}

interface RequestOptions {
  readonly worker?: number;
  readonly generation?: Generation;
  readonly onEnd?: (request: OpenRequest) => void;
  /** The client's address as Envoy gives it: `10.0.0.1:50000`, `[::1]:50000`, the name of a pipe. Default: one of this machine's. */
  readonly source?: string;
  /** Default: a connection without TLS, and no filter in front. */
  readonly caller?: CallerFacts;
  /** True: the upstream answers when the request's `answer` is called. */
  readonly lasts?: boolean;
}

const UPSTREAM_ANSWER: Pair[] = [
  [':status', '200'],
  ['content-type', 'application/json'],
];

/** An Envoy process as the module sees it: a VM per worker, one on the main thread, and a canary per configuration. */
export class Host {
  readonly process: Process;
  readonly main: Vm | null;
  readonly workers: Vm[];
  /** Configurations that still serve or drain, oldest first. */
  readonly generations: Generation[] = [];
  private readonly pluginName: string;
  private readonly upstream: UpstreamAnswer;
  private loaded = 0;

  constructor(
    private readonly module: WasmModule,
    options: HostOptions = {},
  ) {
    const start = options.timeline ?? options.startMs ?? Date.UTC(2026, 0, 15, 12);
    this.process = new Process(start, options.backend, options.random ?? true);
    this.main = options.mainThread === false ? null : new Vm(module, this.process, 'main');
    this.workers = Array.from({ length: options.workers ?? 1 }, (_, i) => new Vm(module, this.process, `worker ${i}`));
    this.pluginName = options.pluginName ?? 'tollgate';
    this.upstream = options.upstream ?? (() => UPSTREAM_ANSWER);
  }

  get vms(): Vm[] {
    return this.main === null ? this.workers : [this.main, ...this.workers];
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
    const taken = canary.startRoot(plugin) !== null;
    canary.discard();
    if (!taken) return null;
    const generation: Generation = { number: this.loaded, plugin, roots: new Map() };
    if (this.main !== null) this.start(generation, this.main);
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

  /** One request through a worker, under the newest configuration that worker has unless told otherwise. It may not pause. */
  request(headers: readonly Pair[], options: RequestOptions = {}): Exchange {
    const request = this.open(headers, options);
    if (request.exchange !== null) return request.exchange;
    this.faults.push(`${this.workers[options.worker ?? 0]!.name}: request paused (${request.action}) without a reply`);
    request.reset();
    return closed(new Stream([]));
  }

  /** The same for a request that may pause; `onEnd` hears of its end, at once or later. */
  open(headers: readonly Pair[], options: RequestOptions = {}): OpenRequest {
    const vm = this.workers[options.worker ?? 0]!;
    const generation = options.generation ?? this.generations.findLast((candidate) => candidate.roots.has(vm));
    const root = generation?.roots.get(vm);
    if (root === undefined) throw new Error('no configuration loaded');
    return new OpenRequest(
      vm,
      root,
      headers,
      this.upstream,
      options.onEnd,
      options.source,
      options.caller,
      options.lasts,
    );
  }

  /** Lets time pass, here and in every Envoy on the same timeline, with what falls due in it. */
  pass(ms: number): void {
    this.process.timeline.pass(ms);
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

  /** The module's series of this name, as Prometheus would show them, of those that have all these labels. */
  series(name: MetricName, labels: Labels = {}): { labels: Labels; value: number }[] {
    return [...this.process.metrics.byName].flatMap(([stat, { value }]) => {
      const parsed = parseStatName(stat);
      const fits =
        parsed?.name === name && Object.entries(labels).every(([label, is]) => parsed.labels[label as Label] === is);
      return fits ? [{ labels: parsed.labels, value: Number(value) }] : [];
    });
  }

  /** Their sum; 0 when there are none. */
  total(name: MetricName, labels: Labels = {}): number {
    return this.series(name, labels).reduce((sum, { value }) => sum + value, 0);
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
}
