import { ABSENT, View, lengthOf, literal, pointerOf, view } from "../filter/index";
import {
  proxy_add_header_map_value,
  proxy_continue_stream,
  proxy_define_metric,
  proxy_get_buffer_bytes,
  proxy_get_current_time_nanoseconds,
  proxy_get_header_map_pairs,
  proxy_get_property,
  proxy_get_shared_data,
  proxy_increment_metric,
  proxy_log,
  proxy_record_metric,
  proxy_remove_header_map_value,
  proxy_replace_header_map_value,
  proxy_send_local_response,
  proxy_set_effective_context,
  proxy_set_property,
  proxy_set_shared_data,
  proxy_set_tick_period_milliseconds,
} from "@solo-io/proxy-runtime/assembly/imports";

/**
 * All calls to the host; this file alone looks at their status. The host writes values to memory from our exported `malloc`, which
 * is the arena, so they are valid until the callback ends. Declarations come from the SDK's package except for `proxy_grpc_call`,
 * which it declares without the initial metadata of ABI 0.2.1: a host refuses to load such a module.
 */
// @ts-ignore: decorator
@external("env", "proxy_grpc_call")
declare function proxy_grpc_call(
  service: usize,
  serviceSize: usize,
  serviceName: usize,
  serviceNameSize: usize,
  method: usize,
  methodSize: usize,
  initialMetadata: usize,
  initialMetadataSize: usize,
  message: usize,
  messageSize: usize,
  timeoutMilliseconds: u32,
  token: usize,
): u32;

/** Of WASI: a host of proxy-wasm has it for a language's library. */
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "random_get")
declare function random_get(pointer: usize, size: u32): u32;

export const enum Status {
  Ok = 0,
  NotFound = 1,
  CasMismatch = 8,
}
export const enum HeaderMap {
  Request = 0,
  RequestTrailers = 1,
  Response = 2,
}
export const enum LogLevel {
  Info = 2,
  Warn = 3,
  Error = 4,
}

const GRPC_RECEIVE_BUFFER = 5;
const PLUGIN_CONFIGURATION = 7;
const REQUEST_STREAM = 0;
const COUNTER = 0;
const GAUGE = 1;
/** "Not a gRPC reply": -1 as the host's unsigned parameter. */
export const NO_GRPC_STATUS: u32 = 0xffffffff;

/** Out-parameters: pointer, size, compare-and-swap number, time, metric id, token. */
const OUT_POINTER: usize = memory.data(8, 8);
const OUT_SIZE: usize = OUT_POINTER + 4;
const OUT_CAS: usize = memory.data(4, 8);
const OUT_TIME: usize = memory.data(8, 8);
const OUT_METRIC: usize = memory.data(4, 8);
const OUT_TOKEN: usize = memory.data(4, 8);

export function log(level: LogLevel, text: View): void {
  proxy_log(level, pointerOf(text), lengthOf(text));
}

/** Fills memory with random bytes; false when the host has none. */
export function fillRandom(pointer: usize, size: u32): bool {
  return random_get(pointer, size) == 0;
}

/** Nanoseconds since the epoch. */
export function currentTimeNanoseconds(): i64 {
  proxy_get_current_time_nanoseconds(OUT_TIME);
  return load<i64>(OUT_TIME);
}

/** All headers of a map, serialised, or ABSENT. */
export function headerPairs(map: HeaderMap): View {
  clearOut();
  return outView(proxy_get_header_map_pairs(map, OUT_POINTER, OUT_SIZE));
}

/** Replaces every value of the header; false when the host refuses. */
export function replaceHeader(map: HeaderMap, name: View, value: View): bool {
  return (
    proxy_replace_header_map_value(map, pointerOf(name), lengthOf(name), pointerOf(value), lengthOf(value)) == Status.Ok
  );
}

/** Adds a value to those that the header has. */
export function addHeader(map: HeaderMap, name: View, value: View): void {
  proxy_add_header_map_value(map, pointerOf(name), lengthOf(name), pointerOf(value), lengthOf(value));
}

export function removeHeader(map: HeaderMap, name: View): bool {
  return proxy_remove_header_map_value(map, pointerOf(name), lengthOf(name)) == Status.Ok;
}

/** Replies to the caller instead of the upstream, once the callback has returned. */
export function sendReply(status: u32, details: View, body: View, pairs: View, grpcStatus: u32): bool {
  return (
    proxy_send_local_response(
      status,
      pointerOf(details),
      lengthOf(details),
      pointerOf(body),
      lengthOf(body),
      pointerOf(pairs),
      lengthOf(pairs),
      grpcStatus,
    ) == Status.Ok
  );
}

/** The stream's filter state `wasm.<name>`, or ABSENT. */
export function filterState(name: View): View {
  clearOut();
  return outView(proxy_get_property(pointerOf(name), lengthOf(name), OUT_POINTER, OUT_SIZE));
}

const SOURCE_ADDRESS = literal("source\0address");

/** What the host takes for the client's address, with its port; ABSENT when there is none. */
export function sourceAddress(): View {
  clearOut();
  return outView(proxy_get_property(pointerOf(SOURCE_ADDRESS), lengthOf(SOURCE_ADDRESS), OUT_POINTER, OUT_SIZE));
}

/** The property at this path, whose segments end with NULs, or ABSENT. */
export function property(path: View): View {
  clearOut();
  return outView(proxy_get_property(pointerOf(path), lengthOf(path), OUT_POINTER, OUT_SIZE));
}

/** True when a module in this Envoy has set the stream's filter state `wasm.<name>`; clients cannot set it. */
export function hasFilterState(name: View): bool {
  clearOut();
  return proxy_get_property(pointerOf(name), lengthOf(name), OUT_POINTER, OUT_SIZE) == Status.Ok;
}

/** Sets the stream's filter state `wasm.<name>`, for access logs. */
export function setFilterState(name: View, value: View): void {
  proxy_set_property(pointerOf(name), lengthOf(name), pointerOf(value), lengthOf(value));
}

/** A copy of the plugin configuration, which the module may overwrite, or ABSENT when empty. */
export function pluginConfiguration(size: u32): View {
  clearOut();
  return outView(proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, OUT_POINTER, OUT_SIZE));
}

/** The compare-and-swap number of the shared value that was read last. */
export function lastCas(): u32 {
  return load<u32>(OUT_CAS);
}

/** The shared value under `key`, or ABSENT when there is none. */
export function sharedData(key: View): View {
  clearOut();
  return outView(proxy_get_shared_data(pointerOf(key), lengthOf(key), OUT_POINTER, OUT_SIZE, OUT_CAS));
}

/** Stores a shared value if its compare-and-swap number is still `cas`. 0 stores unconditionally: only for a key not yet in use. */
export function setSharedData(key: View, value: View, cas: u32): Status {
  return proxy_set_shared_data(pointerOf(key), lengthOf(key), pointerOf(value), lengthOf(value), cas);
}

export function setTickPeriod(milliseconds: u32): void {
  proxy_set_tick_period_milliseconds(milliseconds);
}

/** Id of the counter metric `name`, or 0 when the host refuses it. */
export function defineCounter(name: View): u32 {
  return defineMetric(COUNTER, name);
}

export function defineGauge(name: View): u32 {
  return defineMetric(GAUGE, name);
}

function defineMetric(kind: u32, name: View): u32 {
  store<u32>(OUT_METRIC, 0);
  return proxy_define_metric(kind, pointerOf(name), lengthOf(name), OUT_METRIC) == Status.Ok
    ? load<u32>(OUT_METRIC)
    : 0;
}

/** Increments a counter metric; the host accepts only increments above 0. */
export function incrementCounter(metric: u32, by: u64): void {
  if (metric != 0 && by > 0) proxy_increment_metric(metric, by);
}

export function setGauge(metric: u32, value: u64): void {
  if (metric != 0) proxy_record_metric(metric, value);
}

/** Adds to a gauge that several VMs share; `by` may be negative. */
export function addToGauge(metric: u32, by: i64): void {
  if (metric != 0) proxy_increment_metric(metric, by);
}

/** Starts a unary gRPC call of the root context; returns its token, or 0 on failure. */
export function grpcCall(service: View, serviceName: View, method: View, message: View, timeoutMilliseconds: u32): u32 {
  store<u32>(OUT_TOKEN, 0);
  const status = proxy_grpc_call(
    pointerOf(service),
    lengthOf(service),
    pointerOf(serviceName),
    lengthOf(serviceName),
    pointerOf(method),
    lengthOf(method),
    0,
    0,
    pointerOf(message),
    lengthOf(message),
    timeoutMilliseconds,
    OUT_TOKEN,
  );
  return status == Status.Ok ? load<u32>(OUT_TOKEN) : 0;
}

/** The first `size` bytes of the gRPC message received, or ABSENT. */
export function grpcMessage(size: u32): View {
  clearOut();
  return outView(proxy_get_buffer_bytes(GRPC_RECEIVE_BUFFER, 0, size, OUT_POINTER, OUT_SIZE));
}

/** Makes further host calls apply to another stream or root; false when it is gone. */
export function setEffectiveContext(id: u32): bool {
  return proxy_set_effective_context(id) == Status.Ok;
}

/** Resumes the paused request of the current context, once the callback has returned. */
export function continueRequest(): void {
  proxy_continue_stream(REQUEST_STREAM);
}

function clearOut(): void {
  // Pointer and size at once.
  store<u64>(OUT_POINTER, 0);
}

function outView(status: u32): View {
  const pointer = load<u32>(OUT_POINTER);
  return status == Status.Ok && pointer != 0 ? view(pointer, load<u32>(OUT_SIZE)) : ABSENT;
}

const CRITICAL = 5;
const IMPOSSIBLE = literal("tollgate: the module found itself in an impossible state and stops");

/**
 * Called by compiled code when a check inside AssemblyScript's library fails. No input of this module leads here; should it happen
 * all the same, the log says so before the VM dies.
 */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  proxy_log(CRITICAL, pointerOf(IMPOSSIBLE), lengthOf(IMPOSSIBLE));
  unreachable();
}
