import { Code, decodeAsk, encodeAnswer, Unit, type AnswerMessage, type AskMessage, type Entry } from './protocol.ts';

/** One quota of a plan, or an operation's own, in the service's configuration. */
export interface Rule {
  /** Of an operation's own quota: names of the API and the operation. */
  readonly plan: string | readonly [api: string, operation: string];
  readonly quota: string;
  readonly limit: number;
  /** The service's name for the window. */
  readonly unit: keyof typeof Unit;
  readonly perApi?: boolean;
  /** Counts what is only observed. */
  readonly isObserved?: boolean;
  /** Other limits of single consumers. */
  readonly consumers?: Readonly<Record<string, number>>;
}

const SECONDS: Record<keyof typeof Unit, number> = {
  second: 1,
  minute: 60,
  hour: 3600,
  day: 86_400,
  week: 604_800,
  month: 2_592_000,
  year: 31_536_000,
};

/** envoyproxy/ratelimit with Redis, as a model: INCRBY on a counter per descriptor and window; refused hits count too. */
export class RateLimitServiceModel {
  calls = 0;
  /** Behaves like a server that ignores `hits_addend` and counts one hit per call. */
  ignoresHits = false;
  /** Units granted since the beginning, by counter. */
  readonly granted = new Map<string, number>();
  private readonly used = new Map<string, number>();

  constructor(
    private readonly domain: string,
    private readonly rules: readonly Rule[],
  ) {}

  /** Answers a request message with a response message. */
  answer(message: Buffer, nowMs: number): Buffer {
    return encodeAnswer(this.ask(decodeAsk(message), nowMs));
  }

  ask({ domain, descriptors, hits }: AskMessage, nowMs: number): AnswerMessage {
    this.calls++;
    const statuses = descriptors.map((entries) =>
      this.charge(domain, entries, this.ignoresHits ? 1 : Math.max(1, hits), Math.floor(nowMs / 1000)),
    );
    return { overallCode: statuses.some(({ code }) => code === Code.overLimit) ? Code.overLimit : Code.ok, statuses };
  }

  /** Forgets all counters, as when Redis comes back empty. */
  forget(): void {
    this.used.clear();
  }

  private charge(
    domain: string,
    entries: readonly Entry[],
    hits: number,
    nowSeconds: number,
  ): AnswerMessage['statuses'][number] {
    const rule = domain === this.domain ? this.rules.find((candidate) => isAbout(candidate, entries)) : undefined;
    // No limit configured for it: unlimited.
    if (rule === undefined) return { code: Code.ok };
    const limit = rule.consumers?.[entries.at(-1)![1]] ?? rule.limit;
    const seconds = SECONDS[rule.unit];
    const window = Math.floor(nowSeconds / seconds);
    const counter = entries.map((entry) => entry.join('=')).join(' ');
    const key = `${counter} ${window}`;
    const used = (this.used.get(key) ?? 0) + hits;
    this.used.set(key, used);
    const good = used <= limit;
    if (good) this.granted.set(key, (this.granted.get(key) ?? 0) + hits);
    return {
      code: good ? Code.ok : Code.overLimit,
      limit: { requestsPerUnit: limit, unit: Unit[rule.unit] },
      remaining: Math.max(0, limit - used),
      resetSeconds: (window + 1) * seconds - nowSeconds,
    };
  }
}

function isAbout(rule: Rule, entries: readonly Entry[]): boolean {
  if (typeof rule.plan !== 'string') {
    const about = [...rule.plan, rule.quota].join('/');
    // without a consumer: of callers without a key
    return (
      entries
        .map(([key]) => key)
        .slice(0, 3)
        .join() === `api,${rule.isObserved ? 'observed' : 'operation'},quota` &&
      entries
        .slice(0, 3)
        .map(([, value]) => value)
        .join('/') === about
    );
  }
  const keys = [rule.isObserved ? 'observed' : 'plan', 'quota', ...(rule.perApi ? ['api'] : []), 'consumer'];
  return (
    entries.map(([key]) => key).join() === keys.join() && entries[0]![1] === rule.plan && entries[1]![1] === rule.quota
  );
}
