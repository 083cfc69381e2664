import { Code, decodeAsk, encodeAnswer, Unit, type AnswerMessage, type AskMessage, type Entry } from './protocol.ts';

/** Counters of one window and quota, in the service's configuration. */
export interface Rule {
  /** As the policy says it. */
  readonly window: Window;
  /**
   * As the descriptor has it: a quota's name, behind `API/` or `API/OPERATION/` and `observed:` where it is counted apart. `*` and
   * a slash stand for the name of any API, and `*` alone for any quota, as in the configuration that the tool writes.
   */
  readonly quota: string;
  /** Default: the most that the service can hold, so that only the module refuses. */
  readonly limit?: number;
  /** Other limits of single consumers. */
  readonly consumers?: Readonly<Record<string, number>>;
}

export const MAX_LIMIT = 4_294_967_295;

/** The service's name for each window. */
export const UNITS = {
  second: 'second',
  minute: 'minute',
  hour: 'hour',
  day: 'day',
  '7d': 'week',
  '30d': 'month',
  '365d': 'year',
  month: 'month',
} as const;
export type Window = keyof typeof UNITS;

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
  /** True for a server that does not know the hits of a single descriptor, and counts what is only looked at. */
  countsPeeks = false;
  private readonly used = new Map<string, number>();

  constructor(
    private readonly domain: string,
    private readonly rules: readonly Rule[],
  ) {}

  /** Answers a request message with a response message. */
  answer(message: Buffer, nowMs: number): Buffer {
    return encodeAnswer(this.ask(decodeAsk(message), nowMs));
  }

  ask({ domain, descriptors, hits, ownHits }: AskMessage, nowMs: number): AnswerMessage {
    this.calls++;
    const ofCall = this.ignoresHits ? 1 : Math.max(1, hits);
    const statuses = descriptors.map((entries, i) =>
      this.charge(
        domain,
        entries,
        (this.ignoresHits || this.countsPeeks ? null : ownHits[i]) ?? ofCall,
        Math.floor(nowMs / 1000),
      ),
    );
    return { overallCode: statuses.some(({ code }) => code === Code.overLimit) ? Code.overLimit : Code.ok, statuses };
  }

  /** Hits of all windows of counters whose key has the words, refused ones included. */
  counted(...words: string[]): number {
    return [...this.used]
      .filter(([key]) => words.every((word) => key.includes(word)))
      .reduce((sum, [, hits]) => sum + hits, 0);
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
    const limit = rule.consumers?.[entries.at(-1)![1]] ?? rule.limit ?? MAX_LIMIT;
    const unit = UNITS[rule.window];
    const seconds = SECONDS[unit];
    const window = Math.floor(nowSeconds / seconds);
    const counter = entries.map((entry) => entry.join('=')).join(' ');
    const key = `${counter} ${window}`;
    const used = (this.used.get(key) ?? 0) + hits;
    this.used.set(key, used);
    const good = used <= limit;
    if (good) this.granted.set(key, (this.granted.get(key) ?? 0) + hits);
    return {
      code: good ? Code.ok : Code.overLimit,
      limit: { requestsPerUnit: limit, unit: Unit[unit] },
      remaining: Math.max(0, limit - used),
      resetSeconds: (window + 1) * seconds - nowSeconds,
    };
  }
}

function isAbout({ window, quota }: Rule, entries: readonly Entry[]): boolean {
  const keys = entries.map(([key]) => key).join();
  // without a consumer: of callers without a key
  if (keys !== 'window,quota,consumer' && keys !== 'window,quota') return false;
  const [[, ofWindow], [, ofQuota]] = entries as [Entry, Entry];
  if (quota === '*') return window === ofWindow;
  return window === ofWindow && (quota === ofQuota || quota === ofQuota.replace(/^((?:observed:)?)[^/]+\//, '$1*/'));
}
