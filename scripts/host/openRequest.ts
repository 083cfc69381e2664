import { type CallerFacts, HeaderMap, type Pair, type LocalResponse, Stream } from './stream.ts';
import type { Context, Root, Vm } from './vm.ts';
import { LOG_FIELDS } from '../contract/table.ts';
import type { LogField } from '../contract/pluginConfig.ts';
import { ACTION_CONTINUE, NO_GRPC_STATUS } from './abi.ts';

/** A request that has ended, and what became of it. */
export interface Exchange {
  readonly response: HeaderMap;
  readonly body: string;
  /** What the upstream received, or null when the request ended here. */
  readonly upstream: HeaderMap | null;
  readonly details: string;
  /** Bytes by name. */
  readonly filterState: ReadonlyMap<string, string>;
}

/** What the module decided, by name, as access logs show it; a field is absent where the decision did not get as far. */
export interface Decision {
  /** `allowed`, or why not: a code of docs/reasons.md. */
  readonly reason: string;
  /** `observe` where the request passed although it would have been refused for this reason. */
  readonly mode?: 'observe';
  readonly api?: string;
  readonly operation?: string;
  readonly route?: string;
  readonly consumer?: string;
  /** Public id of the key. */
  readonly key?: string;
  readonly plan?: string;
}

/** What an access log can show field by field: docs/access-log.md. */
export interface LogFields {
  readonly reason?: string;
  readonly api?: string;
  readonly operation?: string;
  readonly route?: string;
  readonly consumer?: string;
  readonly keyId?: string;
  readonly plan?: string;
  readonly quota?: string;
  readonly remaining?: number;
  readonly host?: string;
  /** `observe` where the request passed only because that is the mode. */
  readonly mode?: 'observe';
}

const DECISION = 'wasm.tollgate';

/** The decision that the module left in the stream's filter state; null when it left none, as a dead VM does. */
export function decisionOf({ filterState }: Pick<Exchange, 'filterState'>): Decision | null {
  const line = filterState.get(DECISION);
  if (line === undefined) return null;
  const fields = line.split(' ').map((field) => {
    const at = field.indexOf('=');
    return [field.slice(0, at), field.slice(at + 1)] as const;
  });
  return Object.fromEntries(fields) as unknown as Decision;
}

/** The fields that the module left for access logs, as far as its policy wants them. */
export function logFieldsOf({ filterState }: Pick<Exchange, 'filterState'>): LogFields {
  return readLogFields((name) => filterState.get(`${DECISION}.${name}`));
}

/** Log fields as their filter states show them; what is absent or empty is no field. */
export function readLogFields(shown: (name: LogField) => string | null | undefined): LogFields {
  const present = LOG_FIELDS.map((name) => [name, shown(name)] as const).filter(([, value]) => value);
  return Object.fromEntries(present.map(([name, value]) => [name, name === 'remaining' ? Number(value) : value]));
}

export type UpstreamAnswer = (request: HeaderMap) => Pair[];

/** Between Envoy's own answer and the end of its stream. */
const ANSWERED_MS = 20;

/** One request on its way: it ends in the call that began it, or stays paused until the guest lets it go on or answers. */
export class OpenRequest {
  /** Null while the request is paused, and for ever when its client has gone. */
  exchange: Exchange | null = null;
  /** What the guest returned from `proxy_on_request_headers`. */
  readonly action: number | undefined;
  readonly startedMs: number;
  endedMs = Infinity;
  private readonly stream: Stream;
  private readonly context: Context;
  private gone = false;
  /** What the upstream got of a request that goes on and is not answered yet. */
  private received: HeaderMap | null = null;

  constructor(
    private readonly vm: Vm,
    root: Root,
    headers: readonly Pair[],
    private readonly upstream: UpstreamAnswer,
    private readonly onEnd: (request: OpenRequest) => void = () => {},
    source?: string,
    caller: CallerFacts = {},
    private readonly lasts = false,
  ) {
    this.startedMs = vm.process.clock.elapsed;
    this.stream = new Stream(headers, source, caller);
    this.stream.owner = this;
    this.context = vm.openStream(root, this.stream);
    this.stream.deciding = true;
    this.action = vm.call(
      this.context,
      'proxy_on_request_headers',
      this.context.id,
      this.stream.request.pairs.length,
      1,
    );
    this.stream.deciding = false;
    if (!this.paused) return;
    if (vm.failed !== null) this.end(closed(this.stream));
    else if (this.action === ACTION_CONTINUE) this.proceed();
  }

  get paused(): boolean {
    return this.exchange === null && !this.gone;
  }

  get waitedMs(): number {
    return this.endedMs - this.startedMs;
  }

  /** The upstream has the request, and has not answered. */
  get isUnderWay(): boolean {
    return this.paused && this.received !== null;
  }

  /** The upstream answers a request that lasts. */
  answer(): Exchange {
    if (!this.isUnderWay) throw new Error('the request is not under way');
    this.answered(this.received!);
    return this.exchange!;
  }

  /** The client hangs up: the stream's context is gone from now on. */
  reset(): void {
    if (!this.paused) return;
    this.gone = true;
    this.close();
  }

  /** Envoy answers in the guest's place, as when a timeout of its own has passed; the stream ends a little later. */
  timeOut(): void {
    if (!this.paused) return;
    this.stream.requestVisible = false;
    this.respond(new HeaderMap([[':status', '408']]), 1);
    this.exchange = {
      response: this.stream.response!,
      body: '',
      upstream: null,
      details: 'stream_timeout',
      filterState: this.stream.filterState,
    };
    this.vm.process.timeline.after(ANSWERED_MS, () => this.close());
  }

  /** The guest let the request go on; from Envoy's side, once the callback has returned. */
  continued(): void {
    if (this.paused) this.proceed();
  }

  /** The guest answered. */
  replied(): void {
    const local = this.stream.localResponse;
    if (!this.paused || local === null) return;
    const { headers, body } = localReply(this.stream.request, local);
    this.respond(headers, 1);
    this.end({ response: headers, body, upstream: null, details: local.details, filterState: this.stream.filterState });
  }

  private proceed(): void {
    this.stream.requestVisible = false;
    this.received = new HeaderMap(this.stream.request.pairs);
    if (!this.lasts) this.answered(this.received);
  }

  private answered(upstream: HeaderMap): void {
    const response = new HeaderMap(this.upstream(this.stream.request));
    this.respond(response, 0);
    this.end({ response, body: '', upstream, details: 'via_upstream', filterState: this.stream.filterState });
  }

  private respond(headers: HeaderMap, endOfStream: number): void {
    this.stream.response = headers;
    this.vm.call(this.context, 'proxy_on_response_headers', this.context.id, headers.pairs.length, endOfStream);
  }

  private end(exchange: Exchange): void {
    this.exchange = exchange;
    this.close();
  }

  private close(): void {
    this.endedMs = this.vm.process.clock.elapsed;
    this.vm.closeStream(this.context);
    this.onEnd(this);
  }
}

/** What FAIL_CLOSED answers for a dead VM. */
export function closed(stream: Stream): Exchange {
  const response = new HeaderMap([[':status', '503']]);
  return { response, body: '', upstream: null, details: 'wasm_fail_stream', filterState: stream.filterState };
}

export interface Reply {
  readonly headers: HeaderMap;
  readonly body: string;
}

/** Envoy's rule: exactly this type or this type with a suffix. `application/grpc-web` is not gRPC. */
export function isGrpc(request: HeaderMap): boolean {
  const type = request.first('content-type') ?? '';
  return request.first(':path') !== undefined && (type === 'application/grpc' || type.startsWith('application/grpc+'));
}

/** What Envoy makes of a local response: problem body for HTTP, a trailers-only status for gRPC, no body for HEAD. */
export function localReply(request: HeaderMap, response: LocalResponse): Reply {
  const headers = new HeaderMap([[':status', String(response.status)], ...response.headers]);
  const isHead = request.first(':method') === 'HEAD';
  if (isGrpc(request)) return grpcReply(headers, response, isHead);
  headers.remove('content-length');
  if (response.body === '') {
    headers.remove('content-type');
    return { headers, body: '' };
  }
  headers.replace('content-length', String(Buffer.byteLength(response.body)));
  if (headers.first('content-type') === undefined) headers.add('content-type', 'text/plain');
  return { headers, body: isHead ? '' : response.body };
}

function grpcReply(headers: HeaderMap, response: LocalResponse, isHead: boolean): Reply {
  headers.replace(':status', '200');
  headers.replace('content-type', 'application/grpc');
  if ((headers.first('grpc-status') ?? '') === '') {
    const given = response.grpcStatus !== NO_GRPC_STATUS;
    headers.replace('grpc-status', String(given ? response.grpcStatus : grpcStatusOf(response.status)));
  }
  if (response.body !== '' && !isHead) headers.replace('grpc-message', percentEncode(response.body));
  headers.remove('content-length');
  return { headers, body: '' };
}

/** What Envoy derives where the module gives no status, which is why the module always gives one. */
function grpcStatusOf(httpStatus: number): number {
  const known: Record<number, number> = { 400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14 };
  return known[httpStatus] ?? 2;
}

/** Bytes outside printable ASCII, and the percent sign. */
function percentEncode(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      if (byte >= 0x20 && byte < 0x7e && byte !== 0x25) return String.fromCharCode(byte);
      return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}
