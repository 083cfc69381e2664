import { MAX_CORS_AGE_SECONDS, MAX_CORS_NAMES, MAX_ORIGINS } from '../contract/table.ts';
import { cors as corsSchema } from '../policy/schema/cors.ts';
import { quoted } from '../openapi/loss.ts';
import type { KongPlugin } from './document.ts';
import type { KongReading } from './entity.ts';

/** `cors` of an API, as it is written. */
export type WrittenCors = Readonly<Record<string, unknown>>;

const METHODS = ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'];
/** These need no leave. */
const SIMPLE = ['GET', 'HEAD', 'POST'];

/** What an API says about pages on other origins; null where nothing of the plugin can be said. */
export function corsOf({ config, pointer }: KongPlugin, reading: KongReading): WrittenCors | null {
  const at = (field: string): (string | number)[] => [...config.pointer, field];
  if (reading.flag(config, 'preflight_continue', false))
    reading.lose(at('preflight_continue'), 'preflights are answered, and do not reach the upstream');
  if (reading.flag(config, 'private_network', false))
    reading.lose(at('private_network'), 'is not taken over: there are no answers about private networks');
  const origins = originsOf(
    config.fields['origins'] === undefined ? null : reading.strings(config, 'origins'),
    (index, rule) => reading.lose([...at('origins'), index], rule),
  );
  if (origins !== '*' && origins.length === 0) {
    reading.lose(pointer, 'is left out: it names no origin that a policy could name');
    return null;
  }
  const wantsCredentials = reading.flag(config, 'credentials', false);
  if (wantsCredentials && origins === '*')
    reading.lose(at('credentials'), 'needs origins by name: without them every page could act for whoever looks at it');
  const headers = namesOf(reading.strings(config, 'headers'), /^[a-z0-9!#$%&'+^_`|~.-]+$/, (index) =>
    reading.lose([...at('headers'), index], 'is left out: it is no name of a header'),
  );
  if (headers.length === 0)
    reading.lose(
      at('headers'),
      'pages may set content-type and the headers of keys: a policy names all that they may set',
    );
  const exposed = namesOf(reading.strings(config, 'exposed_headers'), /^[a-z0-9!#$%&'+^_`|~.-]+$/, (index) =>
    reading.lose([...at('exposed_headers'), index], 'is left out: it is no name of a header'),
  );
  const methods = (reading.strings(config, 'methods') ?? METHODS).filter((name) => METHODS.includes(name));
  const age = reading.number(config, 'max_age');
  const written = {
    origins,
    ...(methods.length > 0 && { methods: [...new Set(methods)].filter((name) => !SIMPLE.includes(name)) }),
    ...(headers.length > 0 && { headers }),
    ...(exposed.length > 0 && { exposedHeaders: exposed }),
    ...(wantsCredentials && origins !== '*' && { credentials: true }),
    ...(age !== undefined && age >= 0 && { maxAge: `${Math.min(Math.floor(age), MAX_CORS_AGE_SECONDS)}s` }),
  };
  if (corsSchema.safeParse(written).success) return written;
  reading.lose(pointer, 'is left out: it is nothing that a policy could say');
  return null;
}

function originsOf(given: readonly string[] | null, lose: (index: number, rule: string) => void): string[] | '*' {
  if (given === null || given.length === 0 || given.includes('*')) return '*';
  const found = new Set<string>();
  for (const [index, text] of given.entries()) {
    const origin = originOf(text);
    if (!corsSchema.safeParse({ origins: [origin] }).success)
      lose(index, `is no origin that a policy could name; found ${quoted(text)}`);
    else if (found.size < MAX_ORIGINS) found.add(origin);
    else lose(index, `is one origin too many: a policy names at most ${MAX_ORIGINS}`);
  }
  return [...found];
}

/** A regular expression such as `https://.*\.example\.com` is `https://*.example.com`. */
function originOf(text: string): string {
  const [, scheme, host] =
    /^\^?(https?:\/\/)(?:\.\*|\.\+|\(\.\*\)|\[\^\.\]\+)\\?\.((?:[a-z0-9-]|\\\.)+)\$?$/i.exec(text) ?? [];
  if (scheme !== undefined && host !== undefined) return `${scheme}*.${host.replaceAll('\\.', '.')}`.toLowerCase();
  return text
    .replace(/^\^|\$$|\\(?=\.)/g, '')
    .replace(/\/$/, '')
    .toLowerCase()
    .replace(/^(http:\/\/[^/]*):80$|^(https:\/\/[^/]*):443$/, '$1$2');
}

function namesOf(given: readonly string[] | null, pattern: RegExp, lose: (index: number) => void): string[] {
  const found = new Set<string>();
  for (const [index, text] of (given ?? []).entries()) {
    const name = text.trim().toLowerCase();
    if (pattern.test(name) && found.size < MAX_CORS_NAMES) found.add(name);
    else lose(index);
  }
  return [...found];
}
