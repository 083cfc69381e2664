import { HeaderMap, joinHeaders, type Pair } from './headers.ts';

/** What a guest handed to `proxy_send_local_response`. */
export interface LocalResponse {
  readonly status: number;
  readonly details: string;
  readonly body: string;
  readonly headers: Pair[];
  readonly grpcStatus: number;
}

/** Who hears, after the callback, what the guest did to a stream. */
export interface StreamOwner {
  continued(): void;
  replied(): void;
}

/** The state of one request inside the filter chain. */
export class Stream {
  readonly request: HeaderMap;
  response: HeaderMap | null = null;
  trailers: HeaderMap | null = null;
  /** The request map is gone once the request has gone on, and stays after a local reply. */
  requestVisible = true;
  localResponse: LocalResponse | null = null;
  /** True inside the stream's own `proxy_on_request_headers`, whose result decides whether the request stops. */
  deciding = false;
  /** The guest has asked for the request to go on. */
  continued = false;
  owner: StreamOwner | null = null;
  routeCacheCleared = false;
  readonly filterState = new Map<string, string>();

  constructor(request: readonly Pair[]) {
    this.request = new HeaderMap(joinHeaders(request));
  }
}

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
