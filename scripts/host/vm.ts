import {
  ABI_VERSION,
  GuestMemory,
  HostFault,
  Result,
  loadModule,
  wasm,
  type WasmMemory,
  type WasmModule,
} from './abi.ts';
import { GrpcClient } from './grpc.ts';
import { linkImports } from './calls.ts';
import type { Stream } from './stream.ts';
import { Process } from './process.ts';

/** By exporting this a module says which ABI it speaks. */
const ABI_EXPORT = `proxy_abi_version_${ABI_VERSION.replaceAll('.', '_')}`;

type GuestFunction = (...args: number[]) => number | undefined;

/** How long the context of an ended stream can still be found. Envoy deletes it within the same turn of its loop, or the next. */
const LINGER_MS = 5;
/** Effects of one callback that may nest: each reply enters the VM again inside the last. In Envoy V8's stack ends at about 350. */
const MOST_NESTED = 64;

/** A plugin as configured: Istio sets root id and name to the same text and leaves the VM id empty. */
export interface Plugin {
  readonly name: string;
  readonly rootId: string;
  readonly configuration: Buffer;
}

/**
 * A root (stream is null) or a request's context, by the id the guest knows. A stream's context outlives the stream: Envoy
 * deletes it a little later, and until then takes it as effective context, although nothing of the stream is left.
 */
export interface Context {
  readonly id: number;
  readonly root: Root;
  readonly stream: Stream | null;
  ended: boolean;
}

export interface Root {
  readonly id: number;
  readonly plugin: Plugin;
  tickPeriodMs: number;
  /** On the process's elapsed time. */
  nextTickMs: number;
  streams: number;
  /** No configuration uses it any more; it goes with its last stream. */
  retiring: boolean;
}

export function newRoot(id: number, plugin: Plugin): Root {
  return { id, plugin, tickPeriodMs: 0, nextTickMs: Infinity, streams: 0, retiring: false };
}

/** What crosses the boundary between host and guest. */
export interface Observer {
  /** The host enters the guest, malloc included. */
  entered(): void;
  /** The guest calls the host function of this name, such as `proxy_log`. */
  called(name: string): void;
  /** Bytes handed to the guest through its malloc. */
  handed(bytes: number): void;
  /** Bytes that the guest handed to the host. */
  took(bytes: number): void;
}

/** One instance of the module with its roots and streams: what a worker thread has. */
export class Vm {
  /** Told of everything that crosses the boundary between host and guest, for measurements. */
  observer: Observer | null = null;
  readonly memory: GuestMemory;
  readonly contexts = new Map<number, Context>();
  readonly roots = new Map<number, Root>();
  /** Metrics by the ids of this VM. */
  readonly metricNames: string[] = [];
  /** False lets a test call in odd orders: misuse then answers as Envoy does instead of failing the test. */
  strict = true;
  failed: Error | null = null;
  readonly grpc = new GrpcClient(this);
  current: Context | null = null;
  effective: Context | null = null;
  /** The configuration is readable only during `proxy_on_configure`. */
  configuring: Plugin | null = null;
  /** Inside malloc or the start function, where the host allows no call but log. */
  restricted = true;
  /** What the callback that runs has done so far: a callout and a local reply together crash Envoy. */
  calledOut = false;
  replied = false;
  private deferred: (() => void)[] = [];
  private nested = 0;
  private readonly exports: Record<string, unknown>;
  private nextContextId = 1;

  constructor(
    module: WasmModule,
    readonly process: Process,
    readonly name: string,
  ) {
    const instance = new wasm.Instance(module, linkImports(this));
    this.exports = instance.exports;
    if (this.exports['memory'] === undefined) throw new HostFault('module: no memory');
    this.memory = new GuestMemory(instance.exports.memory as WasmMemory);
    this.restricted = false;
    if (!this.has('malloc')) throw new HostFault('module: no malloc');
    if (!this.has(ABI_EXPORT)) throw new HostFault(`module: no ${ABI_EXPORT}`);
    for (const start of ['_initialize', '_start']) if (this.has(start)) this.enter(start);
  }

  /** The stream that host calls of this moment are about. One that has ended is memory that Envoy no longer owns. */
  get stream(): Stream | null {
    const context = this.effective ?? this.current;
    if (context?.ended) throw new HostFault('host call for a stream that has ended: a crash in Envoy');
    return context?.stream ?? null;
  }

  has(name: string): boolean {
    return typeof this.exports[name] === 'function';
  }

  /** A global that the module exports. */
  global(name: string): bigint {
    return BigInt((this.exports[name] as { value: number | bigint }).value);
  }

  /** Names of all that the module exports. */
  exported(): string[] {
    return Object.keys(this.exports);
  }

  allocateId(): number {
    return this.nextContextId++;
  }

  /** Creates, starts and configures a root; null when the guest refused the configuration. */
  startRoot(plugin: Plugin): Root | null {
    const root = newRoot(this.allocateId(), plugin);
    const context: Context = { id: root.id, root, stream: null, ended: false };
    this.roots.set(root.id, root);
    this.contexts.set(root.id, context);
    this.call(context, 'proxy_on_context_create', root.id, 0);
    const started = this.call(context, 'proxy_on_vm_start', root.id, 0) !== 0;
    if (started && this.configure(root.id, plugin) && this.failed === null) return root;
    this.drop(root.id);
    return null;
  }

  /** Hands a configuration to a root, known or not; false when the guest refuses it. */
  configure(rootId: number, plugin: Plugin): boolean {
    this.configuring = plugin;
    const taken = this.call(
      this.contexts.get(rootId) ?? null,
      'proxy_on_configure',
      rootId,
      plugin.configuration.length,
    );
    this.configuring = null;
    return taken !== 0;
  }

  /** The root goes once its last stream has ended: done, delete, no ticks, no answers to its calls. */
  retire(root: Root): void {
    const context = this.contexts.get(root.id);
    if (context === undefined) return;
    root.retiring = true;
    if (root.streams > 0) return;
    this.call(context, 'proxy_on_done', root.id);
    this.call(context, 'proxy_on_delete', root.id);
    this.drop(root.id);
  }

  openStream(root: Root, stream: Stream): Context {
    const context: Context = { id: this.allocateId(), root, stream, ended: false };
    this.contexts.set(context.id, context);
    root.streams++;
    this.call(context, 'proxy_on_context_create', context.id, root.id);
    return context;
  }

  /** The stream ends: the guest hears of it at once, and its context goes a little later. */
  closeStream(context: Context): void {
    this.call(context, 'proxy_on_done', context.id);
    this.call(context, 'proxy_on_log', context.id);
    context.ended = true;
    this.call(context, 'proxy_on_delete', context.id);
    this.process.timeline.after(LINGER_MS, () => this.contexts.delete(context.id));
    context.root.streams--;
    if (context.root.retiring) this.retire(context.root);
  }

  /** Begins the period anew from now, as Envoy does on every call: a guest that sets it all the time never ticks. */
  setTickPeriod(root: Root, periodMs: number): void {
    root.tickPeriodMs = periodMs;
    root.nextTickMs = periodMs === 0 ? Infinity : this.process.clock.elapsed + periodMs;
    const { nextTickMs } = root;
    this.process.timeline.at(nextTickMs, () => {
      // Another period may have been set since.
      if (root.nextTickMs === nextTickMs && this.failed === null) this.tickAndRearm(root);
    });
  }

  tick(root: Root): void {
    this.callRoot(root, 'proxy_on_tick');
  }

  /** Calls an export about a root, first parameter its id. Nothing happens when the root is gone. */
  callRoot(root: Root, name: string, ...args: number[]): void {
    const context = this.contexts.get(root.id);
    if (context !== undefined) this.call(context, name, root.id, ...args);
  }

  /** The VM is thrown away: nothing happens in it any more. */
  discard(): void {
    for (const root of this.roots.values()) this.drop(root.id);
  }

  /** Puts an effect of a host call off until the guest's callback has returned, as a host must. */
  defer(effect: () => void): void {
    this.deferred.push(effect);
  }

  /** Calls an export as a context. Undefined when the module does not export it or the VM has failed. */
  call(context: Context | null, name: string, ...args: number[]): number | undefined {
    if (this.failed !== null || !this.has(name)) return undefined;
    if (this.current !== null) throw new Error(`${name}: called inside another callback`);
    this.current = context;
    this.effective = null;
    this.calledOut = false;
    this.replied = false;
    try {
      return this.enter(name, ...args);
    } catch (error) {
      this.fail(name, error);
      return undefined;
    } finally {
      this.current = null;
      this.effective = null;
      this.doDeferred();
    }
  }

  /** Memory for a value the host returns; the guest may not call the host meanwhile. */
  malloc(size: number): number {
    this.restricted = true;
    const pointer = this.enter('malloc', size);
    this.restricted = false;
    if (pointer === undefined || pointer === 0) throw new HostFault(`malloc(${size}) gave no memory`);
    return pointer >>> 0;
  }

  /** Hands a value to the guest through its malloc; an empty one without a malloc call. */
  hand(bytes: Buffer, pointerPointer: number, sizePointer: number, what: string): number {
    let pointer = 0;
    if (bytes.length > 0) {
      this.observer?.handed(bytes.length);
      pointer = this.malloc(bytes.length);
      bytes.copy(this.memory.target(pointer, bytes.length, `${what}: memory from malloc`));
    }
    this.memory.setU32(pointerPointer, pointer, `${what}: place for the pointer`);
    this.memory.setU32(sizePointer, bytes.length, `${what}: place for the size`);
    return Result.ok;
  }

  /** Misuse is a fault of a strict VM; otherwise it is the status Envoy would answer. */
  misuse(message: string, status: number): number {
    if (this.strict) throw new HostFault(message);
    return status;
  }

  private enter(name: string, ...args: number[]): number | undefined {
    this.observer?.entered();
    return (this.exports[name] as GuestFunction)(...args);
  }

  /** An effect that enters the VM runs those behind it before it returns, as in Envoy: they nest. */
  private doDeferred(): void {
    this.nested++;
    if (this.nested > MOST_NESTED && this.deferred.length > 0)
      this.fail('deferred effects', new HostFault(`more than ${MOST_NESTED} nest: V8's stack ends in Envoy`));
    for (let effect = this.deferred.shift(); effect !== undefined; effect = this.deferred.shift()) effect();
    this.nested--;
  }

  private tickAndRearm(root: Root): void {
    const set = root.nextTickMs;
    this.tick(root);
    if (root.nextTickMs === set) this.setTickPeriod(root, root.tickPeriodMs);
  }

  private drop(rootId: number): void {
    const root = this.roots.get(rootId);
    if (root !== undefined) {
      root.nextTickMs = Infinity;
      this.grpc.cancelAllOf(root);
    }
    this.roots.delete(rootId);
    this.contexts.delete(rootId);
  }

  private fail(name: string, error: unknown): void {
    this.failed = error instanceof Error ? error : new Error(String(error));
    const kind = error instanceof HostFault ? 'misuse' : 'trap';
    this.process.faults.push(`${this.name}: ${kind} in ${name}: ${this.failed.message}`);
  }
}

/** The module's answer to a plugin config: taken, or refused with the line that it logs. */
export type Answer = { readonly accepted: true } | { readonly accepted: false; readonly message: string };

/**
 * Asks a module whether it takes a plugin config (JSON), by giving it one in a VM of its own. `message` names the field,
 * such as `plugin config: apis[0].paths: must …`, and holds no secret. Throws a HostFault when the wasm is not a module
 * for this host.
 */
export function acceptsConfig(wasm: Uint8Array, config: Uint8Array | string): Answer {
  const process = new Process(Date.now());
  const vm = new Vm(loadModule(wasm), process, 'question');
  const plugin: Plugin = { name: 'tollgate', rootId: 'tollgate', configuration: Buffer.from(config) };
  if (vm.startRoot(plugin) !== null) return { accepted: true };
  const message = process.faults.at(-1) ?? process.logs.at(-1)?.message ?? 'no reason given';
  return { accepted: false, message: message.replace(/^tollgate: /, '') };
}
