import { MAX_METHODS } from '../contract/table.ts';
import { isOwnHeader } from '../policy/schema/header.ts';
import { host as hostSchema, pathPrefix } from '../policy/schema/value.ts';
import { member } from '../openapi/spot.ts';
import { quoted } from '../openapi/loss.ts';
import type { KongRoute } from './document.ts';
import { isFilledInLater, LATER_RULE, type KongReading } from './entity.ts';
import { readRegex } from './regex.ts';

/** A prefix under which a route lies, with the template of the rest where the document has a regular expression. */
export interface RoutePath {
  readonly prefix: string;
  /** Templates of operations below the prefix; null: everything under it. */
  readonly templates: readonly string[] | null;
  /** Of a regular expression: Kong compares these by `regex_priority` and before all prefixes. */
  readonly length: number;
}

export interface MatchedHeader {
  readonly name: string;
  readonly values: readonly string[];
}

/** What requests a route takes. */
export interface Match {
  /** Null: any host. */
  readonly hosts: readonly (string | null)[];
  readonly paths: readonly RoutePath[];
  /** Null: any method. */
  readonly methods: readonly string[] | null;
  readonly headers: readonly MatchedHeader[];
  /** How many kinds of attributes it has, which Kong compares first. */
  readonly weight: number;
  readonly hasPlainHosts: boolean;
}

const hosts = hostSchema('');
const paths = pathPrefix('');
/** Each place is looked for at all the paths above it. */
const MAX_PREFIX_SEGMENTS = 64;
const STREAMS = ['tcp', 'tls', 'udp', 'tls_passthrough'];
const PATH_RULE =
  'is left out: a policy has prefixes of whole segments, and templates of operations; write which of them it stands for';

/** What requests a route takes; null after reporting why it is left out. A route never takes more than in Kong, unless that is reported. */
export function matchOf(route: KongRoute, version: string, reading: KongReading): Match | null {
  const { pointer, fields } = route;
  const lose = (field: string, rule: string): null => {
    reading.lose([...pointer, field], rule);
    return null;
  };
  const given = (field: string): boolean => isGiven(member(fields, field));
  if (given('expression')) return lose('expression', 'the route is left out: a policy has no expressions of a router');
  for (const field of ['sources', 'destinations'])
    if (given(field)) return lose(field, 'the route is left out: a policy does not look at addresses');
  const protocols = reading.strings(route, 'protocols') ?? [];
  if (protocols.some((protocol) => STREAMS.includes(protocol)))
    return lose('protocols', 'the route is left out: a policy is about HTTP');
  if (protocols.length > 0 && !protocols.includes('http') && !protocols.includes('grpc'))
    lose('protocols', "is not looked at: which of http and https is served is the listener's business");
  if (given('snis')) lose('snis', 'is not looked at: the listener chooses by the name in the TLS handshake');
  if (given('tags')) reading.note([...pointer, 'tags'], 'is not taken over: a policy has no tags');
  if (member(fields, 'regex_priority'))
    lose('regex_priority', 'is not looked at: the more special template goes first');
  const hosts = hostsOf(route, reading);
  const paths = pathsOf(route, version, reading);
  const headers = headersOf(route, reading);
  if (hosts === null || paths === null || headers === null) return null;
  const methods = reading.strings(route, 'methods');
  if (methods !== null && methods.some((method) => !/^[A-Z-]{1,64}$/.test(method)))
    return lose('methods', 'the route is left out: it must list methods in upper case');
  if (methods !== null && methods.length > MAX_METHODS)
    return lose('methods', `the route is left out: a policy takes at most ${MAX_METHODS} methods`);
  const isAnyMethod = methods === null || methods.length === 0;
  return {
    hosts,
    paths,
    methods: isAnyMethod ? null : [...new Set(methods)],
    headers,
    weight: ['methods', 'hosts', 'headers', 'snis', 'paths'].filter(given).length,
    hasPlainHosts: given('hosts') && hosts.every((host) => host !== null && !host.startsWith('*')),
  };
}

function isGiven(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

function hostsOf(route: KongRoute, reading: KongReading): (string | null)[] | null {
  const given = reading.strings(route, 'hosts');
  if (given === null || given.length === 0)
    return isGiven(member(route.fields, 'hosts')) ? leftOut(route, reading) : [null];
  const found = new Set<string>();
  for (const [index, text] of given.entries()) {
    const pointer = [...route.pointer, 'hosts', index];
    const [, name, port] = /^([^]*?)(:\d+)?$/.exec(text)!;
    const host = name!.toLowerCase().replace(/\.$/, '');
    if (isFilledInLater(text)) reading.lose(pointer, `is left out: it ${LATER_RULE}`);
    else if (!hosts.safeParse(host).success)
      reading.lose(
        pointer,
        /\*$/.test(host)
          ? 'is left out: a wildcard stands at the beginning of a host only; name each host'
          : `is no host that a policy could name; found ${quoted(text)}`,
      );
    else {
      if (port !== undefined) reading.lose(pointer, 'is taken without its port: hosts of a policy have none');
      found.add(host);
    }
  }
  return found.size === 0 ? leftOut(route, reading) : [...found];
}

function leftOut(route: KongRoute, reading: KongReading): null {
  reading.lose(route.pointer, 'the route is left out: nothing of what it matches can be said by a policy');
  return null;
}

function pathsOf(route: KongRoute, version: string, reading: KongReading): RoutePath[] | null {
  const given = reading.strings(route, 'paths');
  if (given === null || given.length === 0)
    return isGiven(member(route.fields, 'paths'))
      ? leftOut(route, reading)
      : [{ prefix: '/', templates: null, length: 0 }];
  const found: RoutePath[] = [];
  for (const [index, text] of given.entries()) {
    const pointer = [...route.pointer, 'paths', index];
    const path = pathOf(text, version, (rule) => reading.lose(pointer, rule));
    if (path === null) continue;
    if (path.templates === null && path.prefix !== '/')
      reading.note(pointer, 'covers whole segments: "/v1" is not "/v10", which Kong takes too');
    if (!found.some((other) => JSON.stringify(other) === JSON.stringify(path))) found.push(path);
  }
  return found.length === 0 ? leftOut(route, reading) : found;
}

function pathOf(text: string, version: string, lose: (rule: string) => void): RoutePath | null {
  if (isFilledInLater(text)) {
    lose(`is left out: it ${LATER_RULE}`);
    return null;
  }
  // before 3.0 no mark was needed
  const isOldRegex = version !== '3.0' && !/^[a-zA-Z0-9.\-_~/%]*$/.test(text);
  if (text.startsWith('~') || isOldRegex) {
    const regex = readRegex(text.replace(/^~/, ''));
    if (regex === null || regex.prefix.split('/').length > MAX_PREFIX_SEGMENTS + 1) {
      lose(`${PATH_RULE}; found ${quoted(text)}`);
      return null;
    }
    if (regex.isWider) lose(`is made a template, whose variables take any segment; found ${quoted(text)}`);
    return { prefix: regex.prefix, templates: regex.templates, length: text.length };
  }
  const plain = decoded(text).replace(/\/{2,}/g, '/');
  const prefix = plain.replace(/(.)\/$/, '$1');
  if (!paths.safeParse(prefix).success || prefix.split('/').length > MAX_PREFIX_SEGMENTS + 1) {
    lose(`is left out: it is no path that a policy could name; found ${quoted(text)}`);
    return null;
  }
  if (plain !== prefix) lose(`covers ${quoted(prefix)} too: a slash at the end makes no difference`);
  return { prefix, templates: null, length: plain.length };
}

function decoded(text: string): string {
  return text.replace(/%[0-9a-f]{2}/gi, (escape) => {
    const character = String.fromCharCode(parseInt(escape.slice(1), 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escape;
  });
}

/** Null after reporting: what cannot be compared may not be left out, or everything would match. */
function headersOf(route: KongRoute, reading: KongReading): MatchedHeader[] | null {
  const headers = reading.mapping(route, 'headers');
  const found: MatchedHeader[] = [];
  for (const name of Object.keys(headers.fields)) {
    const pointer = [...headers.pointer, name];
    const lower = name.toLowerCase();
    const values = reading.strings(headers, name) ?? [];
    const isName = /^[a-z0-9!#$%&'+.^_`|~-]{1,127}$/.test(lower) && !isOwnHeader(lower);
    if (!isName || values.length === 0 || values.some((value) => !isHeaderValue(value))) {
      reading.lose(pointer, 'the route is left out: a policy compares headers with whole values, without patterns');
      return null;
    }
    if (values.some((value) => /[A-Za-z]/.test(value)))
      reading.note(pointer, 'is compared byte by byte; Kong makes no difference between upper and lower case');
    found.push({ name: lower, values: [...new Set(values)] });
  }
  return found;
}

function isHeaderValue(value: string): boolean {
  return /^(?! )[\x20-\x7e]{1,4096}(?<! )$/.test(value) && !value.startsWith('~*') && !isFilledInLater(value);
}
