import type { Outcome, Runner, Session, UnderWay } from '../cases/runner.ts';
import type { WireRequest } from '../cases/wire.ts';
import { HeaderMap } from '../../scripts/host/stream.ts';
import { logFieldsOf } from '../../scripts/host/openRequest.ts';
import { isGrpc, localReply } from '../../scripts/host/openRequest.ts';
import { callerOf, issuersOf, requestPairs, sourceOf } from '../host/requests.ts';
import { policyConfig } from '../host/policyConfig.ts';
import { answerOf, upstreamOf, upstreamStatus } from '../host/session.ts';
import { FilterModule, loadFilter, type Decision } from './filterModule.ts';

const TICK_MS = 250;
const TICKED_MS = 30_000;

/** The decision alone: no host, no leases, so every count is exact. */
export function filterRunner(): Runner {
  const module = loadFilter();
  return {
    name: 'pure filter',
    virtualTime: true,
    inProcess: true,
    workers: 1,
    open: async (policy, startMs) =>
      new FilterSession(new FilterModule(module), policy, startMs ?? Date.UTC(2026, 0, 15, 12)),
  };
}

class FilterSession implements Session {
  private nowMs: number;
  private issuers: ReturnType<typeof issuersOf> = [];

  constructor(
    private readonly filter: FilterModule,
    policy: string,
    private readonly startMs: number,
  ) {
    this.nowMs = startMs;
    this.load(policy);
  }

  async send(request: WireRequest, atMs: number, jump = false): Promise<Outcome> {
    this.reach(this.startMs + atMs, jump);
    const headers = new HeaderMap(requestPairs(request));
    const caller = callerOf(request, this.issuers, this.nowMs);
    const { decision, answer, end } = this.filter.open(headers.pairs, this.nowMs, sourceOf(request), caller);
    const answered = decision.reply === null ? answer(answerOf(request, headers), this.nowMs) : decision;
    end();
    return decision.reply === null ? passed(headers, answered, request) : refused(headers, decision, decision.reply);
  }

  async begin(request: WireRequest, atMs: number): Promise<UnderWay> {
    this.reach(this.startMs + atMs, false);
    const headers = new HeaderMap(requestPairs(request));
    const { decision, answer, end } = this.filter.open(headers.pairs, this.nowMs, sourceOf(request), callerOf(request));
    if (decision.reply !== null) throw new Error(`refused: ${decision.reason}`);
    return {
      end: async (endMs) => {
        this.reach(this.startMs + endMs, false);
        const answered = answer(answerOf(request, headers), this.nowMs);
        end();
        return passed(headers, answered, request);
      },
      reset: async (endMs) => {
        this.reach(this.startMs + endMs, false);
        end();
      },
    };
  }

  async edit(policy: string): Promise<void> {
    this.load(policy);
  }

  async close(): Promise<void> {}

  private load(policy: string): void {
    this.issuers = issuersOf(policy);
    const problem = this.filter.configure(policyConfig(policy, this.startMs));
    if (problem !== null) throw new Error(`filter refused the plugin config: ${problem}`);
  }

  private reach(nowMs: number, jump: boolean): void {
    if (!jump && nowMs > this.nowMs) {
      for (let at = Math.max(this.nowMs, nowMs - TICKED_MS) + TICK_MS; at <= nowMs; at += TICK_MS) this.filter.tick(at);
    }
    this.nowMs = nowMs;
  }
}

function passed(headers: HeaderMap, decision: Decision, request: WireRequest): Outcome {
  for (const edit of decision.edits) {
    if (edit[0] === 'set') headers.replace(edit[1], edit[2]);
    else headers.remove(edit[1]);
  }
  return {
    status: upstreamStatus(headers, request.answer),
    headers: decision.response,
    body: '',
    upstream: upstreamOf(headers),
    reason: decision.reason,
    log: decision.log,
    fields: fieldsOf(decision),
  };
}

/** The binding sends response headers of a refusal along with its reply; here they are put together for it. */
function refused(headers: HeaderMap, decision: Decision, reply: NonNullable<Decision['reply']>): Outcome {
  const answer = localReply(headers, {
    status: decision.status,
    details: decision.reason,
    body: reply.body,
    headers: [...reply.headers, ...decision.response],
    grpcStatus: isGrpc(headers) ? decision.grpcStatus : 0xffffffff,
  });
  return {
    status: Number(answer.headers.first(':status')),
    headers: answer.headers.pairs,
    body: answer.body,
    upstream: null,
    reason: decision.reason,
    log: decision.log,
    fields: fieldsOf(decision),
  };
}

function fieldsOf({ fields }: Decision): Outcome['fields'] {
  const filterState = new Map(fields.map(([name, value]) => [`wasm.${name}`, value]));
  return { ...logFieldsOf({ filterState }) };
}
