import { ABSENT, View, lengthOf, literal, pointerOf, view } from "../filter/index";
import {
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
 * Every call to the host, with its status looked at once. Values arrive in memory that our exported `malloc` gives, which
 * is the arena: they are valid until the callback ends. The host's own declarations come from the SDK's package, but for
 * `proxy_grpc_call`, which it declares without ABI 0.2.1's initial metadata: a host refuses to load such a module.
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

/** Out-parameters: pointer, size, cas, time, metric id. */
const OUT_POINTER: usize = memory.data(4, 8);
const OUT_SIZE: usize = memory.data(4, 8);
const OUT_CAS: usize = memory.data(4, 8);
const OUT_TIME: usize = memory.data(8, 8);
const OUT_METRIC: usize = memory.data(4, 8);
const OUT_TOKEN: usize = memory.data(4, 8);

export function log(level: LogLevel, text: View): void {
  proxy_log(level, pointerOf(text), lengthOf(text));
}

/** Nanoseconds since the epoch. */
export function currentTimeNanoseconds(): i64 {
  proxy_get_current_time_nanoseconds(OUT_TIME);
  return load<i64>(OUT_TIME);
}

/** All headers of a map in one piece, or ABSENT. */
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

export function removeHeader(map: HeaderMap, name: View): bool {
  return proxy_remove_header_map_value(map, pointerOf(name), lengthOf(name)) == Status.Ok;
}

/** Answers the caller in place of the upstream, once the callback has returned. */
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

/** True when some module in this Envoy has set the filter state `wasm.<name>` of the stream; clients cannot. */
export function hasFilterState(name: View): bool {
  clearOut();
  return proxy_get_property(pointerOf(name), lengthOf(name), OUT_POINTER, OUT_SIZE) == Status.Ok;
}

/** Filter state `wasm.<name>` of the stream, for access logs. */
export function setFilterState(name: View, value: View): void {
  proxy_set_property(pointerOf(name), lengthOf(name), pointerOf(value), lengthOf(value));
}

/** The plugin configuration, its bytes the module's own to overwrite, or ABSENT when empty. */
export function pluginConfiguration(size: u32): View {
  clearOut();
  return outView(proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, OUT_POINTER, OUT_SIZE));
}

/** Compare-and-swap number that came with the last shared value. */
export function lastCas(): u32 {
  return load<u32>(OUT_CAS);
}

/** The shared value under `key`, or ABSENT when there is none. */
export function sharedData(key: View): View {
  clearOut();
  return outView(proxy_get_shared_data(pointerOf(key), lengthOf(key), OUT_POINTER, OUT_SIZE, OUT_CAS));
}

/** `cas` 0 stores in any case, which is right only for a key that nobody else uses yet. */
export function setSharedData(key: View, value: View, cas: u32): Status {
  return proxy_set_shared_data(pointerOf(key), lengthOf(key), pointerOf(value), lengthOf(value), cas);
}

export function setTickPeriod(milliseconds: u32): void {
  proxy_set_tick_period_milliseconds(milliseconds);
}

/** Id of the counter called `name` in this VM, or 0 when the host has none to give. */
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

/** The host takes only increments above 0. */
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

/** Starts a unary gRPC call of the root context; its token, or 0 when it could not begin. */
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

/** The first `size` bytes of the gRPC message that has come, or ABSENT. */
export function grpcMessage(size: u32): View {
  clearOut();
  return outView(proxy_get_buffer_bytes(GRPC_RECEIVE_BUFFER, 0, size, OUT_POINTER, OUT_SIZE));
}

/** Makes host calls be about another stream, or about a root; false when it is gone. */
export function setEffectiveContext(id: u32): bool {
  return proxy_set_effective_context(id) == Status.Ok;
}

/** Lets the paused request of the present context go on, once the callback has returned. */
export function continueRequest(): void {
  proxy_continue_stream(REQUEST_STREAM);
}

function clearOut(): void {
  store<u32>(OUT_POINTER, 0);
  store<u32>(OUT_SIZE, 0);
}

function outView(status: u32): View {
  const pointer = load<u32>(OUT_POINTER);
  return status == Status.Ok && pointer != 0 ? view(pointer, load<u32>(OUT_SIZE)) : ABSENT;
}

const CRITICAL = 5;
const IMPOSSIBLE = literal("tollgate: the module found itself in an impossible state and stops");

/**
 * What the compiler calls for a failed check inside AssemblyScript's own library. Nothing in this module gets here on any
 * input; if it does all the same, the log says so before the VM ends.
 */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  proxy_log(CRITICAL, pointerOf(IMPOSSIBLE), lengthOf(IMPOSSIBLE));
  unreachable();
}
