import {
  BufferType,
  HostFault,
  LOG_LEVELS,
  MapType,
  MetricType,
  PARAMETERS,
  pairsSize,
  parsePairs,
  Result,
  StreamType,
  WASI,
  writePairs,
  type HostFunction,
  type HostFunctions,
  type WasmImports,
} from './abi.ts';
import { grpcCalls } from './grpc.ts';
import { callerProperty } from './property.ts';
import type { HeaderMap } from './stream.ts';
import type { Vm } from './vm.ts';

/** The whole ABI bound to a VM: observed, restricted where a host restricts it, pointers unsigned. */
export function linkImports(vm: Vm): WasmImports {
  const functions: HostFunctions = {
    ...headerCalls(vm),
    ...replyCalls(vm),
    ...grpcCalls(vm),
    ...sharedDataCalls(vm),
    ...systemCalls(vm),
  };
  const env: Record<string, HostFunction> = {};
  for (const name of Object.keys(PARAMETERS)) {
    const call = functions[name] ?? (() => Result.unimplemented);
    env[`proxy_${name}`] = (...args) => {
      if (vm.restricted && name !== 'log') throw new HostFault(`proxy_${name}: called where only log may be`);
      vm.observer?.called(`proxy_${name}`);
      for (let i = 0; i < args.length; i++) if (typeof args[i] === 'number') args[i] = args[i]! >>> 0;
      return call(...args);
    };
  }
  return { env, [WASI]: { random_get: (pointer: number, size: number) => fillRandom(vm, pointer >>> 0, size >>> 0) } };
}

const WASI_EIO = 29;

/** Not random: what a module does with it must be the same in each run. */
function fillRandom(vm: Vm, pointer: number, size: number): number {
  if (!vm.process.hasRandomBytes) return WASI_EIO;
  const target = vm.memory.target(pointer, size, 'random_get');
  for (let i = 0; i < size; i++) target[i] = i * 151 + 43;
  return 0;
}

/** Functions on header maps. A map exists only in its phase; a call outside of it is a fault of the guest. */
function headerCalls(vm: Vm): HostFunctions {
  const change = (type: number, apply: (map: HeaderMap) => void): number => {
    const map = mapOf(vm, type);
    if (map === null) return vm.misuse(`header map ${type} changed out of its phase`, Result.badArgument);
    apply(map);
    if (type === MapType.requestHeaders) vm.stream!.routeCacheCleared = true;
    return Result.ok;
  };
  const text = (pointer: number, size: number): string => {
    vm.observer?.took(size);
    return vm.memory.text(pointer, size, 'header text');
  };
  return {
    get_header_map_value: (type, name, nameSize, valuePointer, sizePointer) => {
      const key = text(name, nameSize);
      const map = mapOf(vm, type);
      if (map === null) return vm.misuse(`header map ${type} read out of its phase`, Result.badArgument);
      const value = map.first(key);
      if (value === undefined) return Result.notFound;
      return vm.hand(Buffer.from(value, 'latin1'), valuePointer, sizePointer, 'get_header_map_value');
    },
    get_header_map_pairs: (type, pointer, size) => getPairs(vm, type, pointer, size),
    get_header_map_size: (type, pointer) => {
      const map = mapOf(vm, type);
      if (map === null) return vm.misuse(`header map ${type} measured out of its phase`, Result.badArgument);
      vm.memory.setU32(pointer, map.byteSize(), 'get_header_map_size');
      return Result.ok;
    },
    add_header_map_value: (type, name, nameSize, value, valueSize) => {
      const pair = [text(name, nameSize), text(value, valueSize)] as const;
      return change(type, (map) => map.add(...pair));
    },
    replace_header_map_value: (type, name, nameSize, value, valueSize) => {
      const pair = [text(name, nameSize), text(value, valueSize)] as const;
      return change(type, (map) => map.replace(...pair));
    },
    remove_header_map_value: (type, name, nameSize) => {
      const key = text(name, nameSize);
      return change(type, (map) => map.remove(key));
    },
    set_header_map_pairs: (type, pointer, size) => {
      vm.observer?.took(size);
      const pairs = parsePairs(vm.memory.read(pointer, size, 'set_header_map_pairs'));
      return change(type, (map) => map.replaceAll(pairs));
    },
  };
}

function getPairs(vm: Vm, type: number, pointerPointer: number, sizePointer: number): number {
  if (type > MapType.last) return vm.misuse(`header map ${type} does not exist`, Result.badArgument);
  const map = mapOf(vm, type);
  if (map === null && vm.strict) return vm.misuse(`header map ${type} read out of its phase`, Result.badArgument);
  if (map === null || map.pairs.length === 0) {
    return vm.hand(Buffer.alloc(0), pointerPointer, sizePointer, 'get_header_map_pairs');
  }
  const size = pairsSize(map.pairs);
  vm.observer?.handed(size);
  const pointer = vm.malloc(size);
  writePairs(map.pairs, vm.memory.target(pointer, size, 'get_header_map_pairs: memory from malloc'), 0);
  vm.memory.setU32(pointerPointer, pointer, 'get_header_map_pairs: place for the pointer');
  vm.memory.setU32(sizePointer, size, 'get_header_map_pairs: place for the size');
  return Result.ok;
}

function mapOf(vm: Vm, type: number): HeaderMap | null {
  const { stream } = vm;
  if (stream === null) return null;
  if (type === MapType.requestHeaders) return stream.requestVisible ? stream.request : null;
  if (type === MapType.requestTrailers) return stream.trailers;
  if (type === MapType.responseHeaders) return stream.response;
  return null;
}

/** Functions that answer or resume a stream. */
function replyCalls(vm: Vm): HostFunctions {
  return {
    send_local_response: (status, details, detailsSize, body, bodySize, pairs, pairsSize, grpcStatus) => {
      const { stream } = vm;
      if (stream === null) return vm.misuse('send_local_response outside a stream', Result.ok);
      if (stream.localResponse !== null) return vm.misuse('send_local_response twice on a stream', Result.ok);
      if (stream.continued) return vm.misuse('send_local_response after continue_stream', Result.ok);
      if (vm.calledOut)
        return vm.misuse('send_local_response after a callout in the same callback: a crash in Envoy', Result.ok);
      if (stream.response !== null) return vm.misuse('send_local_response after response headers', Result.ok);
      vm.observer?.took(detailsSize + bodySize + pairsSize);
      stream.localResponse = {
        status,
        details: vm.memory.text(details, detailsSize, 'response code details'),
        body: vm.memory.read(body, bodySize, 'local response body').toString('utf8'),
        headers: parsePairs(vm.memory.read(pairs, pairsSize, 'local response headers')),
        grpcStatus: grpcStatus >>> 0,
      };
      vm.replied = true;
      vm.defer(() => stream.owner?.replied());
      return Result.ok;
    },
    continue_stream: (type) => {
      if (type > StreamType.response) return Result.badArgument;
      const { stream } = vm;
      if (stream === null) return vm.misuse('continue_stream outside a stream', Result.ok);
      if (type === StreamType.response) return vm.misuse('continue_stream of a response that never stops', Result.ok);
      if (stream.deciding)
        return vm.misuse('continue_stream inside the callback that decides whether the request stops', Result.ok);
      if (stream.localResponse !== null) return vm.misuse('continue_stream after a local reply', Result.ok);
      if (stream.continued || stream.response !== null)
        return vm.misuse('continue_stream of a stream that goes on already', Result.ok);
      stream.continued = true;
      stream.requestVisible = false;
      vm.defer(() => stream.owner?.continued());
      return Result.ok;
    },
    close_stream: (type) => (type > StreamType.last ? Result.badArgument : Result.ok),
  };
}

/** Envoy keeps a metric's type in the low bits of its id, so that ids begin at 4. */
const METRIC_ID_STEP = 4;

/** Log, clock, timers, properties, configuration and metrics. */
function systemCalls(vm: Vm): HostFunctions {
  return { ...basics(vm), ...properties(vm), ...buffers(vm), ...metrics(vm) };
}

function basics(vm: Vm): HostFunctions {
  return {
    log: (level, pointer, size) => {
      const name = LOG_LEVELS[level];
      if (name === undefined) return vm.misuse(`log level ${level}`, Result.badArgument);
      vm.process.logs.push({ vm: vm.name, level: name, message: vm.memory.text(pointer, size, 'log message') });
      return Result.ok;
    },
    get_log_level: (pointer) => {
      vm.memory.setU32(pointer, LOG_LEVELS.indexOf('info'), 'get_log_level');
      return Result.ok;
    },
    get_current_time_nanoseconds: (pointer) => {
      vm.memory.setU64(pointer, vm.process.clock.wallNanoseconds, 'get_current_time_nanoseconds');
      return Result.ok;
    },
    set_tick_period_milliseconds: (periodMs) => {
      const root = (vm.effective ?? vm.current)?.root;
      if (root === undefined) return vm.misuse('set_tick_period without a context', Result.ok);
      vm.setTickPeriod(root, periodMs);
      return Result.ok;
    },
    set_effective_context: (id) => {
      // 0 is the host's own context: calls are about the callback's context again.
      const context = id === 0 ? null : vm.contexts.get(id);
      if (context === undefined) return Result.badArgument;
      if (context?.ended)
        return vm.misuse('set_effective_context to a stream that has ended: what follows crashes Envoy', Result.ok);
      vm.effective = context;
      return Result.ok;
    },
    done: () => Result.notFound,
    get_status: () => Result.notFound,
  };
}

function properties(vm: Vm): HostFunctions {
  const known = (path: string): string | undefined => {
    const plugin = (vm.effective ?? vm.current)?.root.plugin;
    const values: Record<string, string | undefined> = {
      plugin_name: plugin?.name,
      plugin_root_id: plugin?.rootId,
      plugin_vm_id: '',
      'source\0address': vm.stream?.source,
    };
    return values[path] ?? vm.stream?.filterState.get(`wasm.${path}`);
  };
  return {
    get_property: (path, pathSize, valuePointer, sizePointer) => {
      // Segments are separated by NUL; a trailing one does not count.
      const text = vm.memory.text(path, pathSize, 'property path').replace(/\0+$/, '');
      const ofCaller = vm.stream === null ? null : callerProperty(text.split('\0'), vm.stream.caller);
      if (typeof ofCaller === 'number') return ofCaller;
      if (ofCaller !== null) return vm.hand(ofCaller, valuePointer, sizePointer, 'get_property');
      const value = known(text);
      if (value === undefined) return Result.notFound;
      return vm.hand(Buffer.from(value, 'latin1'), valuePointer, sizePointer, 'get_property');
    },
    set_property: (path, pathSize, value, valueSize) => {
      vm.observer?.took(pathSize + valueSize);
      const { stream } = vm;
      if (stream === null) return vm.misuse('set_property outside a stream', Result.notFound);
      const name = vm.memory.text(path, pathSize, 'property path');
      stream.filterState.set(`wasm.${name}`, vm.memory.text(value, valueSize, 'property value'));
      return Result.ok;
    },
  };
}

function buffers(vm: Vm): HostFunctions {
  const content = (type: number): Buffer | null => {
    if (type === BufferType.vmConfiguration) return Buffer.alloc(0);
    if (type === BufferType.grpcReceiveBuffer) return vm.grpc.received;
    if (type === BufferType.pluginConfiguration) return vm.configuring?.configuration ?? null;
    return null;
  };
  return {
    get_buffer_bytes: (type, start, length, pointerPointer, sizePointer) => {
      if (type > BufferType.last) return vm.misuse(`buffer ${type} does not exist`, Result.badArgument);
      const bytes = content(type);
      if (bytes === null) return Result.notFound;
      if (start + length > 0xffffffff) return Result.badArgument;
      const slice = bytes.subarray(Math.min(start, bytes.length), Math.min(start + length, bytes.length));
      return vm.hand(slice, pointerPointer, sizePointer, 'get_buffer_bytes');
    },
    get_buffer_status: (type, lengthPointer, flagsPointer) => {
      if (type > BufferType.last) return vm.misuse(`buffer ${type} does not exist`, Result.badArgument);
      const bytes = content(type);
      if (bytes === null) return Result.notFound;
      vm.memory.setU32(lengthPointer, bytes.length, 'get_buffer_status: place for the length');
      vm.memory.setU32(flagsPointer, 0, 'get_buffer_status: place for the flags');
      return Result.ok;
    },
  };
}

function metrics(vm: Vm): HostFunctions {
  const store = vm.process.metrics;
  const byId = (id: number) => store.byName.get(nameOf(vm, id) ?? '');
  return {
    define_metric: (type, name, nameSize, idPointer) => {
      if (type > MetricType.histogram) return vm.misuse(`metric type ${type}`, Result.badArgument);
      const text = vm.memory.text(name, nameSize, 'metric name');
      store.define(type, text);
      vm.memory.setU32(idPointer, vm.metricNames.push(text) * METRIC_ID_STEP + type, 'define_metric: place for the id');
      return Result.ok;
    },
    increment_metric: (id, offset) => {
      const metric = byId(id);
      if (metric === undefined) return vm.misuse(`increment of unknown metric ${id}`, Result.notFound);
      const step = BigInt(offset);
      if (metric.type === MetricType.histogram) return vm.misuse('increment of a histogram', Result.badArgument);
      if (metric.type === MetricType.counter && step <= 0n) {
        return vm.misuse(`counter ${nameOf(vm, id)} incremented by ${step}`, Result.badArgument);
      }
      if (metric.value + step < 0n) return vm.misuse(`gauge ${nameOf(vm, id)} below zero`, Result.ok);
      metric.value += step;
      return Result.ok;
    },
    record_metric: (id, value) => {
      const metric = byId(id);
      if (metric === undefined) return vm.misuse(`record of unknown metric ${id}`, Result.notFound);
      const given = BigInt.asUintN(64, BigInt(value));
      if (metric.type === MetricType.counter) metric.value += given;
      else metric.value = given;
      return Result.ok;
    },
    get_metric: (id, pointer) => {
      const metric = byId(id);
      if (metric === undefined) return vm.misuse(`read of unknown metric ${id}`, Result.notFound);
      vm.memory.setU64(pointer, metric.value, 'get_metric');
      return Result.ok;
    },
  };
}

function nameOf(vm: Vm, id: number): string | undefined {
  return vm.metricNames[Math.floor(id / METRIC_ID_STEP) - 1];
}

/** Shared data of the process. Queues answer as if nobody had registered one. */
function sharedDataCalls(vm: Vm): HostFunctions {
  const { sharedData } = vm.process;
  return {
    get_shared_data: (key, keySize, valuePointer, sizePointer, casPointer) => {
      const entry = sharedData.get(vm.memory.text(key, keySize, 'shared data key'));
      if (entry === undefined) return Result.notFound;
      vm.hand(entry.value, valuePointer, sizePointer, 'get_shared_data');
      vm.memory.setU32(casPointer, entry.cas, 'get_shared_data: place for cas');
      return Result.ok;
    },
    set_shared_data: (key, keySize, value, valueSize, cas) => {
      vm.observer?.took(keySize + valueSize);
      const name = vm.memory.text(key, keySize, 'shared data key');
      return sharedData.set(name, vm.memory.read(value, valueSize, 'shared data value'), cas);
    },
    resolve_shared_queue: () => Result.notFound,
    dequeue_shared_queue: () => Result.notFound,
    enqueue_shared_queue: () => Result.notFound,
  };
}
