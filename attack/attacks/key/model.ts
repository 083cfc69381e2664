/**
 * Keys as docs/requests.md says they are read, in another way than the module does: lines are split, compared and joined again as strings.
 * It is slow, and knows nothing of policies.
 */
export type Place =
  | { readonly header: string; readonly prefix?: string }
  | { readonly authorization: string }
  | { readonly basic: 'user' | 'password' }
  | { readonly query: string }
  | { readonly cookie: string };

/** A request's path with its query, and its lines in order. */
export interface Message {
  readonly target: string;
  readonly lines: readonly (readonly [name: string, value: string])[];
}

export interface Reading {
  /** What the keys in these places are, all of them; empty values are none. */
  readonly values: readonly string[];
  /** True where credentials of these places cannot be read. */
  readonly isMalformed: boolean;
  /** What an upstream gets that must not see keys. */
  readonly stripped: Message;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]/;
const trimmed = (text: string): string => text.replace(/^[ \t]+|[ \t]+$/g, '');
const spelled = (name: string): string => name.toLowerCase().replaceAll('_', '-');

export function readKeys(places: readonly Place[], message: Message): Reading {
  const values: string[] = [];
  let isMalformed = false;
  let { lines, target } = message;
  const note = (value: string): void => void (value === '' || values.push(value));
  for (const place of places) {
    if ('query' in place) target = withoutParameter(target, place.query, note);
    else if ('cookie' in place) lines = withoutCookie(lines, place.cookie, note);
    else if ('header' in place) lines = withoutHeader(lines, place.header, place.prefix, note);
  }
  const own = places.filter((place) => 'authorization' in place || 'basic' in place);
  if (own.length > 0) lines = withoutCredentials(lines, own, note, () => (isMalformed = true));
  return { values, isMalformed, stripped: { target, lines } };
}

type Lines = Message['lines'];
type Note = (value: string) => void;

function withoutParameter(target: string, name: string, note: Note): string {
  const [path = '', ...rest] = target.split('?');
  if (rest.length === 0) return target;
  const pairs = rest.join('?').split('&');
  const isOurs = (pair: string): boolean => decoded(pair.split('=')[0]!) === name;
  const found = pairs.filter(isOurs);
  if (found.length === 0) return target;
  for (const pair of found) note(decoded(pair.split('=').slice(1).join('=')));
  if (pairs.at(-1) === '') pairs.pop();
  const kept = pairs.filter((pair) => !isOurs(pair));
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`;
}

function decoded(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));
}

function withoutCookie(lines: Lines, name: string, note: Note): Lines {
  const pairs = lines
    .filter(([header]) => header.toLowerCase() === 'cookie')
    .flatMap(([, value]) => value.split(';').map(trimmed))
    .filter((pair) => pair !== '');
  const isOurs = (pair: string): boolean => trimmed(pair.split('=')[0]!) === name;
  if (!pairs.some(isOurs)) return lines;
  for (const pair of pairs.filter(isOurs)) note(trimmed(pair.split('=').slice(1).join('=')));
  return replaced(lines, ['cookie'], 'cookie', pairs.filter((pair) => !isOurs(pair)).join('; ') || null);
}

function withoutHeader(lines: Lines, name: string, prefix: string | undefined, note: Note): Lines {
  const values = lines.filter(([header]) => spelled(header) === spelled(name)).map(([, value]) => trimmed(value));
  const start = prefix?.toLowerCase() ?? '';
  const found = values.filter((value) => value.toLowerCase().startsWith(start));
  if (found.length === 0) return lines;
  for (const value of found) note(trimmed(value.slice(start.length)));
  const others = values.filter((value) => !found.includes(value));
  return replaced(lines, [name, name.replaceAll('-', '_')], name, others.length === 0 ? null : others.join(', '));
}

/** Without the lines of some names, whose rest, if there is one, stands in one line. */
function replaced(lines: Lines, names: readonly string[], name: string, rest: string | null): Lines {
  const gone = names.map(spelled);
  const kept = lines.filter(([header]) => !gone.includes(spelled(header)));
  return rest === null ? kept : [...kept, [name, rest]];
}

/** `Authorization` as Envoy hands it on: the values of its lines in one, without those that are empty. */
export function joined(lines: Lines): string {
  return lines
    .filter(([name]) => name.toLowerCase() === 'authorization')
    .map(([, value]) => trimmed(value))
    .filter((value) => value !== '')
    .join(',');
}

function withoutCredentials(lines: Lines, places: readonly Place[], note: Note, complain: () => void): Lines {
  const members = joined(lines).split(',');
  const schemes = places.map((place) => ('authorization' in place ? place.authorization.toLowerCase() : 'basic'));
  const kept: string[] = [];
  let onlyWords = true;
  for (const member of members) {
    const scheme = schemes.find((one) => one !== 'none' && payloadOf(member, one) !== null);
    const word = trimmed(member);
    if (scheme === undefined) {
      if (/[ \t]/.test(word)) onlyWords = false;
      if (schemes.includes('none') && onlyWords && word !== '') note(word);
      else kept.push(member);
      continue;
    }
    onlyWords = false;
    const payload = payloadOf(member, scheme)!;
    if (scheme !== 'basic') note(payload);
    else if (payload !== '') readBasic(payload, places, note, complain);
  }
  if (kept.length === members.length) return lines;
  const rest = trimmed(kept.join(','));
  return replaced(lines, ['authorization'], 'authorization', TOKEN.test(rest) ? rest : null);
}

/** What follows the scheme; null for credentials of another one. */
function payloadOf(member: string, scheme: string): string | null {
  let at = 0;
  while (at < member.length && !TOKEN.test(member[at]!)) at++;
  const rest = member.slice(at);
  if (rest.slice(0, scheme.length).toLowerCase() !== scheme || TOKEN.test(rest[scheme.length] ?? '')) return null;
  return trimmed(rest.slice(scheme.length));
}

function readBasic(payload: string, places: readonly Place[], note: Note, complain: () => void): void {
  const pair = Buffer.from(payload, 'base64');
  const colon = pair.indexOf(':');
  if (pair.toString('base64') !== payload || colon < 0) return complain();
  for (const place of places) {
    if (!('basic' in place)) continue;
    note(pair.toString('latin1').slice(...(place.basic === 'user' ? [0, colon] : [colon + 1])));
  }
}
