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
