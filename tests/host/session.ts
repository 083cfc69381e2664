import type { Outcome, Runner, Session, UnderWay } from '../cases/runner.ts';
import type { WireAnswer, WireRequest } from '../cases/wire.ts';
import { type HeaderMap, isUpgrade, type Pair } from '../../scripts/host/stream.ts';
import { Host } from '../../scripts/host/host.ts';
import { decisionOf, logFieldsOf, type Exchange, type UpstreamAnswer } from '../../scripts/host/openRequest.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { policyConfig } from './policyConfig.ts';
import { callerOf, issuersOf, requestPairs, sourceOf } from './requests.ts';

/** Longer gaps between two steps are skipped without a tick for every second. */
const TICKED_MS = 30_000;

/** The whole module on the host in Node; requests go to the workers in turn. */
export function hostRunner(workers: number): Runner {
  const module = loadModule(modulePath);
  return {
    name: `module in Node, ${workers === 1 ? 'one worker' : `${workers} workers`}`,
    virtualTime: true,
    inProcess: true,
    workers,
    open: async (policy, startMs) =>
      new HostSession(
        (upstream) => new Host(module, { workers, upstream, ...(startMs === null ? {} : { startMs }) }),
        policy,
      ),
  };
}

class HostSession implements Session {
  private readonly startMs: number;
  private turn = 0;
  /** The request that its upstream answers next. */
  private answering: WireRequest | null = null;
  private issuers: ReturnType<typeof issuersOf> = [];
  readonly host: Host;

  constructor(openHost: (upstream: UpstreamAnswer) => Host, policy: string) {
    this.host = openHost((request) => answerOf(this.answering, request));
    this.startMs = this.host.process.clock.wallMs;
    this.load(policy);
  }

  async send(request: WireRequest, atMs: number, jump = false): Promise<Outcome> {
    this.reach(this.startMs + atMs, jump);
    this.answering = request;
    const exchange = this.host.request(requestPairs(request), {
      worker: this.turn++ % this.host.workers.length,
      source: sourceOf(request),
      caller: callerOf(request, this.issuers, this.startMs + atMs),
    });
    return outcomeOf(exchange);
  }

  async begin(request: WireRequest, atMs: number): Promise<UnderWay> {
    this.reach(this.startMs + atMs, false);
    const open = this.host.open(requestPairs(request), {
      worker: this.turn++ % this.host.workers.length,
      source: sourceOf(request),
      caller: callerOf(request),
      lasts: true,
    });
    if (!open.isUnderWay) throw new Error(`refused: ${outcomeOf(open.exchange!).reason}`);
    return {
      end: async (endMs) => {
        this.reach(this.startMs + endMs, false);
        this.answering = request;
        return outcomeOf(open.answer());
      },
      reset: async (endMs) => {
        this.reach(this.startMs + endMs, false);
        open.reset();
      },
    };
  }

  async edit(policy: string): Promise<void> {
    // The configuration before the last one has drained by now; the last one still ticks beside the new.
    this.host.retireAllButNewest();
    this.load(policy);
  }

  async close(): Promise<void> {
    if (this.host.faults.length > 0)
      throw new Error(`faults: ${this.host.faults.join('; ')}\n${this.host.logs('error').join('\n')}`);
  }

  private load(policy: string): void {
    this.issuers = issuersOf(policy);
    if (this.host.load(policyConfig(policy, this.startMs)) !== null) return;
    throw new Error(`module refused the plugin config: ${this.host.logs().at(-1) ?? 'without a log line'}`);
  }

  private reach(wallMs: number, jump: boolean): void {
    const { clock } = this.host.process;
    const ahead = wallMs - clock.wallMs;
    if (jump || ahead < 0) return clock.jump(wallMs);
    if (ahead > TICKED_MS) clock.jump(wallMs - TICKED_MS);
    this.host.pass(Math.min(ahead, TICKED_MS));
  }
}

function outcomeOf(exchange: Exchange): Outcome {
  const log = exchange.filterState.get('wasm.tollgate');
  return {
    status: Number(exchange.response.first(':status')),
    headers: exchange.response.pairs,
    body: exchange.body,
    upstream: exchange.upstream && upstreamOf(exchange.upstream),
    reason: decisionOf(exchange)?.reason ?? logFieldsOf(exchange).reason ?? `none (${exchange.details})`,
    ...(log === undefined ? {} : { log }),
    fields: { ...logFieldsOf(exchange) },
  };
}

/** What a request's upstream answers: what the case says, or 200; it takes every upgrade that it is asked for. */
export function answerOf(request: WireRequest | null, headers: HeaderMap): Pair[] {
  return [
    [':status', String(upstreamStatus(headers, request?.answer))],
    ['content-type', 'application/json'],
    ...(request?.answer?.headers ?? []),
  ];
}

export function upstreamStatus(request: HeaderMap, answer?: WireAnswer): number {
  return answer?.status ?? (isUpgrade(request.pairs) ? 101 : 200);
}

export function upstreamOf(request: HeaderMap): NonNullable<Outcome['upstream']> {
  return { method: request.first(':method') ?? '', path: request.first(':path') ?? '', headers: request.pairs };
}
