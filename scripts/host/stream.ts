import { HeaderMap } from './headerMap.ts';
import { joinHeaders } from './joinedHeaders.ts';
import type { Pair } from './pairs.ts';

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
