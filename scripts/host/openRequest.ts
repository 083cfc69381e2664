import { ACTION_CONTINUE } from './abi.ts';
import type { Context, Root } from './context.ts';
import type { Exchange } from './exchange.ts';
import { HeaderMap } from './headerMap.ts';
import { localReply } from './localReply.ts';
import type { Pair } from './pairs.ts';
import { Stream } from './stream.ts';
import type { Vm } from './vm.ts';

export type Upstream = (request: HeaderMap) => Pair[];

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

  constructor(
    private readonly vm: Vm,
    root: Root,
    headers: readonly Pair[],
    private readonly upstream: Upstream,
    private readonly onEnd: (request: OpenRequest) => void = () => {},
  ) {
    this.startedMs = vm.process.clock.elapsed;
    this.stream = new Stream(headers);
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
    const upstream = new HeaderMap(this.stream.request.pairs);
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
