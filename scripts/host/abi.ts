/** Numbers of the proxy-wasm ABI 0.2.1, as the C++ host has them. */

export const Result = {
  ok: 0,
  notFound: 1,
  badArgument: 2,
  parseFailure: 4,
  invalidMemoryAccess: 6,
  empty: 7,
  casMismatch: 8,
  internalFailure: 10,
  unimplemented: 12,
} as const;

export const MapType = {
  requestHeaders: 0,
  requestTrailers: 1,
  responseHeaders: 2,
  last: 7,
} as const;

export const BufferType = {
  grpcReceiveBuffer: 5,
  vmConfiguration: 6,
  pluginConfiguration: 7,
  last: 8,
} as const;

/** gRPC status codes that a host makes itself. */
export const GrpcStatus = { unavailable: 14 } as const;

export const StreamType = { request: 0, response: 1, last: 3 } as const;

export const MetricType = { counter: 0, gauge: 1, histogram: 2 } as const;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'critical'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What `proxy_on_request_headers` returns to let the request go on. */
export const ACTION_CONTINUE = 0;

/** `grpc_status` of a plain HTTP local response: −1 as the guest's u32. */
export const NO_GRPC_STATUS = 0xffffffff;

/** The host drops pairs beyond these silently, so a guest that sends more has a bug. */
export const MAX_PAIRS = 1024;
export const MAX_PAIRS_BYTES = 1024 * 1024;

export const MAX_MEMORY_BYTES = 1024 * 1024 * 1024;

/**
 * The guest did what a real host answers with silence or a crash: bad pointers, a second reply, headers out of phase.
 * A test that meets one has failed, whatever it asserts.
 */
export class HostFault extends Error {}

export type HostFunction = (...args: number[]) => number;
export type HostFunctions = Record<string, HostFunction>;

/** Every `env` function of ABI 0.2.1 and how many i32 it takes; the two with an i64 say so in full. */
export const PARAMETERS: Record<string, number | string> = {
  log: 3,
  get_log_level: 1,
  get_status: 3,
  set_property: 4,
  get_property: 4,
  send_local_response: 8,
  continue_stream: 1,
  close_stream: 1,
  get_shared_data: 5,
  set_shared_data: 5,
  register_shared_queue: 3,
  resolve_shared_queue: 5,
  dequeue_shared_queue: 3,
  enqueue_shared_queue: 3,
  get_header_map_value: 5,
  add_header_map_value: 5,
  replace_header_map_value: 5,
  remove_header_map_value: 3,
  get_header_map_pairs: 3,
  set_header_map_pairs: 3,
  get_header_map_size: 2,
  get_buffer_status: 3,
  get_buffer_bytes: 5,
  set_buffer_bytes: 5,
  http_call: 10,
  grpc_call: 12,
  grpc_stream: 9,
  grpc_close: 1,
  grpc_cancel: 1,
  grpc_send: 4,
  set_tick_period_milliseconds: 1,
  get_current_time_nanoseconds: 1,
  define_metric: 4,
  increment_metric: '(i32,i64)->i32',
  record_metric: '(i32,i64)->i32',
  get_metric: 2,
  set_effective_context: 1,
  done: 0,
  call_foreign_function: 6,
};

/** The signature a real host expects of `env.NAME`, or undefined where it has no such function. */
export function expectedSignature(importName: string): string | undefined {
  const parameters = PARAMETERS[importName.replace(/^env\.proxy_/, '')];
  if (parameters === undefined || !importName.startsWith('env.proxy_')) return undefined;
  if (typeof parameters === 'string') return parameters;
  return `(${Array.from({ length: parameters }, () => 'i32').join(',')})->i32`;
}
