import type { ApiConfig, PluginConfig } from '../../contract/pluginConfig.ts';
import { LOG_FIELDS } from '../../contract/table.ts';
import type { WasmModule } from '../../host/abi.ts';
import { decisionOf, type Exchange } from '../../host/openRequest.ts';
import type { Pair } from '../../host/stream.ts';
import { NO_SOURCE, type Sender } from '../caller.ts';
import { compilePolicy, type Policy } from '../../policy/index.ts';
import { countedHere, Engine, meshQuotasOf } from '../engine.ts';
import { ExplainError, InvalidRequest } from '../error.ts';
import { outcomeOf } from '../outcome.ts';
import { Callers, placeKeys } from './caller.ts';
import { PASSING, readEntry, type LogEntry, type LogFormat } from './entry.ts';
import { LONG_LINE_RULE, type NumberedLine } from './lines.ts';
import { Ordered } from './order.ts';
import { shortened, Tally, type TallyRow, type Verdict } from './tally.ts';

export interface ReplayOptions {
  /** What errors call the log. */
  readonly name: string;
  /** Who called where the log does not say; null: nobody, and such requests have no key. */
  readonly caller: string | null;
  /** The host of lines that name none; null: a host of the API that the line names, or none. */
  readonly host: string | null;
}

/** What became of a log. */
export interface Replayed {
  readonly lines: number;
  readonly formats: readonly LogFormat[];
  /** Lines that tell of no request, by the rule that they break. */
  readonly skipped: readonly { readonly rule: string; readonly lines: number; readonly first: readonly number[] }[];
  readonly from: string | null;
  readonly until: string | null;
  readonly requests: number;
  readonly allowed: number;
  readonly refused: number;
  /** Of the refused ones: those that pass because a `mode` of the policy is `observe`. */
  readonly observed: number;
  /** Refused now, and passed then. */
  readonly newlyRefused: number;
  readonly newlyAllowed: number;
  readonly rows: readonly TallyRow[];
  /** Quotas that the mesh counts together: counted here over the log's lines, with every lease granted. */
  readonly meshQuotas: readonly string[];
  /** What the log cannot tell, by the number of requests that it matters for. */
  readonly unknown: {
    /** The log does not say who called. */
    readonly callers: number;
    /** The policy does not have the consumer or the key that the log names. */
    readonly gone: number;
    readonly hosts: number;
    /** The log does not say from where they came, and that matters. */
    readonly addresses: number;
    /** Logged so late that its turn was over: requests are in the order of their times otherwise. */
    readonly late: number;
  };
}

/** Fields of the decision that are counted beside what its line says. */
const FIELDS = ['quota', 'operation'];
/** A file without a single entry in so many lines is no access log. */
const MOST_UNREAD = 10_000;
const MOST_FIRST = 5;

interface Logged {
  readonly timeMs: number;
  readonly line: number;
  readonly entry: LogEntry;
}

/** Replays a log, line by line, against a policy: each request is decided at its own time, with all counters at zero before the first. */
export class Replay {
  private readonly engine: Engine;
  private readonly meshQuotas: readonly string[];
  private readonly callers: Callers;
  private readonly apis: ReadonlyMap<string, ApiConfig>;
  private readonly source: PluginConfig['keySources'][number];
  /** Which entry of X-Forwarded-For is the client's address; 0: it is what Envoy takes for it. */
  private readonly hops: number;
  private readonly ordered = new Ordered<Logged>((logged) => this.judge(logged));
  private readonly tally = new Tally();
  private readonly skipped = new Map<string, { lines: number; first: number[] }>();
  private readonly formats = new Set<LogFormat>();
  private readonly unknown = { callers: 0, gone: 0, hosts: 0, addresses: 0, late: 0 };
  private lines = 0;
  private firstMs = Infinity;
  private nowMs = -Infinity;

  constructor(
    policy: Policy,
    module: WasmModule,
    private readonly options: ReplayOptions,
  ) {
    const fields = LOG_FIELDS.filter((field) => FIELDS.includes(field));
    const compiled = compilePolicy(policy);
    this.meshQuotas = meshQuotasOf(compiled.plans).concat(meshQuotasOf(compiled.apis));
    this.callers = new Callers(countedHere(compiled, fields));
    const { config } = this.callers;
    const { caller } = options;
    if (caller !== null && !this.callers.has(caller)) throw new InvalidRequest('--as must be a consumer of the policy');
    this.apis = new Map(config.apis.map((api) => [api.name, api]));
    this.source = config.keySources[0]!;
    this.hops = config.clientAddress?.trustedHops ?? 0;
    this.engine = new Engine(module, config, 0);
  }

  add({ number, text }: NumberedLine): void {
    this.lines = number;
    if (text === '') return;
    const read = text === null ? { rule: LONG_LINE_RULE } : readEntry(text);
    if ('rule' in read) return this.skip(number, read.rule);
    this.formats.add(read.format);
    this.ordered.add({ timeMs: read.entry.timeMs, line: number, entry: read.entry }, text!.length);
  }

  /** What became of all lines so far; nothing can be added afterwards. */
  end(): Replayed {
    this.ordered.end();
    if (this.formats.size === 0 && this.skipped.size > 0) this.refuse();
    const { requests, refused, observed, newlyRefused, newlyAllowed } = this.tally;
    const timeOf = (ms: number): string | null => (requests === 0 ? null : new Date(ms).toISOString());
    return {
      lines: this.lines,
      formats: [...this.formats],
      skipped: [...this.skipped].map(([rule, { lines, first }]) => ({ rule, lines, first })),
      from: timeOf(this.firstMs),
      until: timeOf(this.nowMs),
      requests,
      allowed: requests - refused,
      refused,
      observed,
      newlyRefused,
      newlyAllowed,
      rows: this.tally.sorted(),
      meshQuotas: this.meshQuotas,
      unknown: this.unknown,
    };
  }

  private skip(line: number, rule: string): void {
    const known = this.skipped.get(rule) ?? { lines: 0, first: [] };
    this.skipped.set(rule, known);
    known.lines++;
    if (known.first.length < MOST_FIRST) known.first.push(line);
    if (this.formats.size === 0 && line >= MOST_UNREAD) this.refuse();
  }

  private refuse(): never {
    const [rule, { first }] = [...this.skipped][0]!;
    throw new ExplainError(
      `${this.options.name}:${first[0]}: ${rule}; ${this.lines === 1 ? 'no line' : `none of the ${this.lines} lines`} tells of a request`,
    );
  }

  private judge({ timeMs, line, entry }: Logged): void {
    this.firstMs = Math.min(this.firstMs, timeMs);
    if (timeMs < this.nowMs) this.unknown.late++;
    this.nowMs = Math.max(this.nowMs, timeMs);
    const { pairs, sender } = this.sentFor(entry);
    const exchange = this.engine.decide(pairs, timeMs, sender);
    this.tally.add(entry, line, verdictOf(exchange, entry));
  }

  private sentFor(entry: LogEntry): { pairs: Pair[]; sender: Sender } {
    const { known, keys, facts, address, isByAddress } = this.callers.sentBy(entry, this.options.caller);
    if (known === 'no caller') this.unknown.callers++;
    if (known === 'gone') this.unknown.gone++;
    const host = this.hostOf(entry);
    const { path, headers } = placeKeys(this.source, bytesOf(this.pathOf(entry)), keys);
    const pairs: Pair[] = host === null ? [] : [[':authority', bytesOf(host)]];
    pairs.push([':path', path], [':method', bytesOf(entry.method)], [':scheme', 'https']);
    if (entry.userAgent !== null) pairs.push(['user-agent', bytesOf(entry.userAgent)]);
    pairs.push(...headers);
    const from = this.whenceOf(entry);
    if (from === null && isByAddress) this.unknown.addresses++;
    if (this.hops === 0) return { pairs, sender: { source: from ?? address ?? NO_SOURCE, caller: facts } };
    const forwardedFor = from ?? (address === null ? null : this.forwardedBy(address));
    if (forwardedFor !== null) pairs.push(['x-forwarded-for', forwardedFor]);
    return { pairs, sender: { source: NO_SOURCE, caller: facts } };
  }

  /** The client's address, or the whole X-Forwarded-For that holds it; null where the log does not say. */
  private whenceOf({ address, forwardedFor }: LogEntry): string | null {
    if (this.hops > 0) return forwardedFor === null ? address && this.forwardedBy(address) : bytesOf(forwardedFor);
    // what Envoy itself goes by where nothing else is set
    const last = address ?? forwardedFor?.split(',').at(-1)?.trim();
    return last === undefined ? null : bytesOf(last);
  }

  /** As if all trusted proxies had passed on what came from there. */
  private forwardedBy(address: string): string {
    return [bytesOf(address), ...Array.from({ length: this.hops - 1 }, () => 'unknown')].join(',');
  }

  private hostOf({ host, api }: LogEntry): string | null {
    if (host !== null) return host;
    if (this.options.host !== null) return this.options.host;
    const hosts = api === null ? undefined : this.apis.get(api)?.hosts;
    if (hosts === undefined) this.unknown.hosts++;
    return hosts?.[0]?.replace(/^\*/, 'replay') ?? null;
  }

  /** The path as it was asked for: the log of a request that passed has it as the route has rewritten it. */
  private pathOf({ path, api: apiName, route: routeName, reason, wasRefused }: LogEntry): string {
    if (apiName === null || routeName === null || reason === null || wasRefused) return path;
    const api = this.apis.get(apiName);
    const route = api?.routes?.find(({ name }) => `${apiName}/${name}` === routeName);
    const prefix = route?.rewritePrefix;
    if (api === undefined || prefix === undefined) return path;
    const bare = prefix.replace(/\/$/, '');
    if (!path.startsWith(bare) || !/^(?:$|[/?])/.test(path.slice(bare.length))) return path;
    const asked = (route?.path ?? api.paths[0]!).replace(/\/$/, '');
    return `${asked}${path.slice(bare.length)}` || '/';
  }
}

function verdictOf(exchange: Exchange, entry: LogEntry): Verdict {
  const decision = decisionOf(exchange) as Readonly<Record<string, string | undefined>> | null;
  const isObserved = decision?.['mode'] === 'observe';
  const reason = decision?.['reason'] ?? exchange.details;
  return {
    isRefused: isObserved || outcomeOf(exchange, reason, isObserved) === 'refused',
    isObserved,
    reason,
    // of a request with a key that is not known any more, whose it was
    consumer: decision?.['consumer'] ?? (entry.consumer === null ? null : shortened(entry.consumer)),
    api: decision?.['api'] ?? null,
    operation: exchange.filterState.get('wasm.tollgate.operation') || null,
    // of what passes it is the one of which the least is left
    quota: PASSING.has(reason) ? null : exchange.filterState.get('wasm.tollgate.quota') || null,
  };
}

/** A header's bytes. */
function bytesOf(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}
