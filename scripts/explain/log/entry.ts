import { MAX_TIME_MS } from '../engine.ts';

/** One request as an access log tells of it. Strings are as logged: all but names of the policy are the client's. */
export interface LogEntry {
  readonly timeMs: number;
  readonly method: string;
  /** May have a query, and a key in it: never to be printed whole. */
  readonly path: string;
  /** Null: the log does not say. */
  readonly host: string | null;
  readonly userAgent: string | null;
  /** What Envoy took for the client's address, with or without a port. */
  readonly address: string | null;
  /** X-Forwarded-For as the module saw it. */
  readonly forwardedFor: string | null;
  readonly consumer: string | null;
  /** Also the id of a workload, or the owner of a token. */
  readonly keyId: string | null;
  readonly plan: string | null;
  /** What Tollgate decided then; null where there was no Tollgate or the log does not say. */
  readonly reason: string | null;
  /** Whether Tollgate refused it then. */
  readonly wasRefused: boolean;
  readonly api: string | null;
  readonly route: string | null;
}

export type LogFormat = 'JSON' | "Istio's text";

/** A line that tells of no request: the rule that it breaks. */
export interface Unread {
  readonly rule: string;
}

export type Read = { readonly format: LogFormat; readonly entry: LogEntry } | Unread;

const NOT_AN_ENTRY: Unread = { rule: 'is neither a JSON object nor in the text format of Istio and Envoy' };
const NO_TIME: Unread = { rule: 'has no time such as 2026-01-15T12:00:00.000Z' };
const NO_REQUEST: Unread = { rule: 'tells of no HTTP request: it has no method or no path' };
const FOR_PEOPLE: Unread = { rule: 'has no date: "tollgate run --json" writes lines that can be replayed' };

/** Reads a line of any format that this tool, Istio by default or docs/access-log.md writes. */
export function readEntry(line: string): Read {
  // what `kubectl logs --prefix` writes before each line
  const text = /^\[pod\/[^\]]*\] /.test(line) ? line.slice(line.indexOf('] ') + 2) : line;
  if (text.startsWith('{')) return readJson(text);
  if (text.startsWith('[')) return readText(text);
  return /^\d\d:\d\d:\d\d [A-Z]+ /.test(text) ? FOR_PEOPLE : NOT_AN_ENTRY;
}

/** Names that a member may have: ours, Istio's, and those of docs/access-log.md. */
const NAMES = {
  time: ['time', 'start_time', 'timestamp', '@timestamp'],
  method: ['method'],
  path: ['path'],
  host: ['host', 'authority'],
  userAgent: ['user_agent', 'userAgent'],
  address: [
    'downstream_remote_address',
    'downstreamRemoteAddress',
    'client_address',
    'clientAddress',
    'remote_address',
  ],
  forwardedFor: ['x_forwarded_for', 'forwarded_for', 'x-forwarded-for', 'xForwardedFor'],
  details: ['details', 'response_code_details'],
  consumer: ['consumer'],
  keyId: ['keyId', 'key_id'],
  plan: ['plan'],
  reason: ['reason'],
  mode: ['mode'],
  api: ['api'],
  route: ['route'],
} as const;

function readJson(text: string): Read {
  let members: Record<string, unknown>;
  try {
    members = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { rule: 'begins like JSON and is none' };
  }
  const said = (names: readonly string[]): string | null => {
    for (const name of names) {
      const value = members[name];
      if (typeof value === 'string' && value !== '' && value !== '-') return value;
    }
    return null;
  };
  const line = typeof members['tollgate'] === 'string' ? members['tollgate'] : '';
  return entryOf('JSON', said(NAMES.time), said(NAMES.method), said(NAMES.path), {
    host: said(NAMES.host),
    userAgent: said(NAMES.userAgent),
    address: said(NAMES.address),
    forwardedFor: said(NAMES.forwardedFor),
    details: said(NAMES.details),
    consumer: said(NAMES.consumer) ?? fieldIn(line, 'consumer'),
    keyId: said(NAMES.keyId) ?? fieldIn(line, 'key'),
    plan: said(NAMES.plan) ?? fieldIn(line, 'plan'),
    reason: said(NAMES.reason) ?? fieldIn(line, 'reason'),
    mode: said(NAMES.mode) ?? fieldIn(line, 'mode'),
    api: said(NAMES.api) ?? fieldIn(line, 'api'),
    route: said(NAMES.route) ?? fieldIn(line, 'route'),
  });
}

/** `[time] "GET /path HTTP/1.1" 200 - via_upstream …`, and without the quotes as docs/access-log.md has it. */
const HEAD = /^\[([^\]]{1,64})\] "?(\S+) (\S+)(?: (?:HTTP\/[\d.]+|-)")? (\d{1,3}) (.*)$/;
/** `"authority" "upstream"`, at the end in Envoy's format and six words before it in Istio's. */
const TAIL = /"([^"]*)" "[^"]*"(?: \S+ \S+ \S+ (\S+) \S+ \S+)?$/;
const DETAILS = /(?:^| )(tollgate_[a-z_]+)(?: |$)/;

function readText(text: string): Read {
  const [, time, method, path, , rest] = HEAD.exec(text) ?? [];
  if (rest === undefined) return NOT_AN_ENTRY;
  const tail = TAIL.exec(rest);
  // in front of the first quote nothing is the client's
  const quote = rest.indexOf('"');
  const own = quote < 0 ? rest : rest.slice(0, quote);
  const quoted = tail?.[1];
  const isOurs = tail === null;
  const field = (name: string): string | null => (isOurs ? fieldIn(rest, name) : null);
  return entryOf("Istio's text", time!, known(method!), known(path!), {
    host: field('host') ?? known(quoted ?? '-'),
    userAgent: isOurs ? null : known(quotedIn(rest, USER_AGENT)),
    address: isOurs ? field('address') : known(tail[2] ?? '-'),
    forwardedFor: isOurs ? null : known(quotedIn(rest, FORWARDED_FOR)),
    details: DETAILS.exec(own)?.[1] ?? null,
    consumer: field('consumer'),
    keyId: field('key'),
    plan: field('plan'),
    reason: field('reason'),
    mode: field('mode'),
    api: field('api'),
    route: field('route'),
  });
}

/** Of the quoted parts before the upstream's: `"x-forwarded-for" "user-agent" "request-id" "authority" "upstream"`. */
const [FORWARDED_FOR, USER_AGENT] = [-10, -8];

function quotedIn(rest: string, at: number): string {
  const parts = rest.split('"');
  return parts.length >= 10 ? (parts.at(at) ?? '-') : '-';
}

function known(text: string): string | null {
  return text === '-' || text === '' ? null : text;
}

/** The value of `name=value` in a line of words. */
function fieldIn(line: string, name: string): string | null {
  const at = line.startsWith(`${name}=`) ? 0 : line.indexOf(` ${name}=`) + 1;
  if (at === 0 && !line.startsWith(`${name}=`)) return null;
  const from = at + name.length + 1;
  const end = line.indexOf(' ', from);
  return known(line.slice(from, end < 0 ? undefined : end));
}

type Rest = Omit<LogEntry, 'timeMs' | 'method' | 'path' | 'wasRefused'> & {
  readonly details: string | null;
  readonly mode: string | null;
};

/** Reasons with which nothing is refused. */
export const PASSING: ReadonlySet<string> = new Set([
  'allowed',
  'anonymous',
  'preflight',
  'unmatched',
  'preflight_answered',
  'redirected',
  'mocked',
  'me_answered',
]);
const OWN_DETAILS = 'tollgate_';

function entryOf(format: LogFormat, time: string | null, method: string | null, path: string | null, rest: Rest): Read {
  const timeMs = time === null || !/^\d{4}-\d\d-\d\dT/.test(time) ? NaN : Date.parse(time);
  if (!(timeMs >= 0 && timeMs < MAX_TIME_MS)) return NO_TIME;
  if (method === null || path === null) return NO_REQUEST;
  const { details, mode, ...others } = rest;
  // Envoy's own field names the reason of every reply of the module, also in formats that know nothing of Tollgate
  const replied = details?.startsWith(OWN_DETAILS) ? details.slice(OWN_DETAILS.length) : null;
  const reason = rest.reason ?? replied;
  const hasPassed = replied === null && (details !== null || mode === 'observe');
  const wasRefused = reason !== null && !hasPassed && !PASSING.has(reason);
  return { format, entry: { timeMs, method, path, ...others, reason, wasRefused } };
}
