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

/** A client on the same machine. */
const LOOPBACK = '127.0.0.1:50000';
/** What Envoy knows of a caller beside the request: the connection's peer, and what filters in front have found out. */
export interface CallerFacts {
  /** URIs among the names in the certificate that the peer has shown, verified or not. */
  readonly uriSans?: readonly string[] | undefined;
  /** Dynamic metadata, by the filter that wrote it. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
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
  /** Bytes by name; after the name of a message stands `:TYPED`, as in access log formats. */
  readonly filterState = new Map<string, string>();

  constructor(
    request: readonly Pair[],
    /** What Envoy takes for the client's address: the property `source.address`. */
    readonly source: string = LOOPBACK,
    readonly caller: CallerFacts = {},
  ) {
    this.request = new HeaderMap(joinHeaders(request));
  }
}

/** A header: name and value as byte strings (latin1: a character is a byte). */
export type Pair = [name: string, value: string];

/** An ordered list of headers with duplicates; names are lower case, as Envoy's are. */
export class HeaderMap {
  readonly pairs: Pair[];

  constructor(pairs: readonly Pair[] = []) {
    this.pairs = pairs.map(([name, value]) => [name.toLowerCase(), value]);
  }

  /** The first value only: what Envoy's `get_header_map_value` answers, and why duplicates hide from it. */
  first(name: string): string | undefined {
    const lower = name.toLowerCase();
    return this.pairs.find((pair) => pair[0] === lower)?.[1];
  }

  all(name: string): string[] {
    const lower = name.toLowerCase();
    return this.pairs.filter((pair) => pair[0] === lower).map((pair) => pair[1]);
  }

  add(name: string, value: string): void {
    this.pairs.push([name.toLowerCase(), value]);
  }

  remove(name: string): void {
    const lower = name.toLowerCase();
    for (let i = this.pairs.length - 1; i >= 0; i--) if (this.pairs[i]![0] === lower) this.pairs.splice(i, 1);
  }

  replace(name: string, value: string): void {
    this.remove(name);
    this.add(name, value);
  }

  replaceAll(pairs: readonly Pair[]): void {
    this.pairs.length = 0;
    for (const [name, value] of pairs) this.add(name, value);
  }

  /** Names and values without separators: what `get_header_map_size` answers. */
  byteSize(): number {
    return this.pairs.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  }
}

/**
 * Request headers of which Envoy keeps one value: several lines become one, with a comma and no space between. All other
 * headers stay lines of their own. `tests/envoy/joinedHeaders.test.ts` holds this list against a real Envoy.
 */
export const JOINED: ReadonlySet<string> = new Set([
  ':authority',
  ':method',
  ':path',
  ':scheme',
  'accept',
  'accept-encoding',
  'access-control-request-headers',
  'access-control-request-method',
  'authorization',
  'cache-control',
  'cdn-loop',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'grpc-accept-encoding',
  'grpc-timeout',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'origin',
  'pragma',
  'proxy-status',
  'referer',
  'te',
  'upgrade',
  'user-agent',
  'via',
  'x-client-trace-id',
  'x-envoy-attempt-count',
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-external-address',
  'x-envoy-is-timeout-retry',
  'x-envoy-original-host',
  'x-envoy-original-path',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-request-id',
]);

/**
 * The headers as Envoy gives them to a filter: joined where it joins, at the place of the first, and without a `Referer` that has a fragment,
 * which no browser sends (RFC 9110, 10.1.3) and Envoy removes.
 */
export function joinHeaders(pairs: readonly Pair[]): Pair[] {
  const joined: Pair[] = [];
  const places = new Map<string, Pair>();
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    const first = places.get(lower);
    if (first === undefined) {
      const pair: Pair = [lower, value];
      joined.push(pair);
      if (JOINED.has(lower)) places.set(lower, pair);
    } else if (value !== '') first[1] = first[1] === '' ? value : `${first[1]},${value}`;
  }
  return joined.filter(([name, value]) => name !== 'referer' || !value.includes('#'));
}

/** True for a request that asks to leave HTTP, as Envoy sees it: by both headers together. */
export function isUpgrade(headers: readonly Pair[]): boolean {
  return headers.some(([name]) => name === 'upgrade') && nominations(headers).includes('upgrade');
}

/**
 * The headers without `Connection` and those that it nominates: Envoy drops them before any filter sees the request. With an
 * upgrade it drops none, and passes the nominations on.
 */
export function withoutNominated(headers: readonly Pair[]): Pair[] {
  if (isUpgrade(headers)) return [...headers];
  const gone = new Set(['connection', 'upgrade', ...nominations(headers)]);
  return headers.filter(([name]) => !gone.has(name));
}

function nominations(headers: readonly Pair[]): string[] {
  const lists = headers.filter(([name]) => name === 'connection').map(([, value]) => value);
  return lists
    .join()
    .split(',')
    .map((name) => name.trim().toLowerCase());
}
