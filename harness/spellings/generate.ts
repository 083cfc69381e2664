import type { Random } from '../random.ts';

/** A request's authority and target, as byte strings. */
export interface Spelling {
  readonly authority: string;
  readonly target: string;
}

const PATHS = [
  '/v1/pets',
  '/v1',
  '/admin/users/7',
  '/public/a',
  '/public/private/a',
  '/pets/@me',
  '/pets/7',
  '/elsewhere/b',
  '/',
];
const HOSTS = [
  'api.example.com',
  'open.example.com',
  'a.b.example.com',
  'elsewhere.test',
  '[2001:db8::1]',
  '127.0.0.1',
  '[2001:db8::2]',
  'example.com',
];
const PIECES = [
  '/',
  '//',
  '///',
  '/.',
  '/./',
  '/..',
  '/../',
  '..',
  '.',
  '%2e',
  '%2E%2e',
  '.%2e',
  '/%2e%2e/',
  '//../',
  '//./..',
  '/x/../',
  '/x/..',
  '/x//../../',
  ';',
  ';a=b',
  '%3b',
  '%3Ba',
  '..;',
  '/..;/',
  '/..%3b/',
  '/;x/',
  '%2f',
  '%2F',
  '\\',
  '%5c',
  '/..\\',
  '%00',
  '%25',
  '%252e',
  '%252f',
  '%25%32%65',
  '?',
  '?a=/../',
  '#',
  '%3f',
  '%23',
  '%20',
  ' ',
  '\t',
  '\0',
  '%09',
  '%0d',
  '%c0%ae',
  '%c0%af',
  '%e0%80%ae',
  '\xc0\xae',
  '%c3%a9',
  '\xc3\xa9',
  '%u002f',
  '%',
  '%4',
  '%zz',
  '*',
  '~',
  ':',
  '@',
];
const PREFIXES = [
  '//x',
  '//api.example.com',
  '/\\api.example.com',
  '\\\\api.example.com',
  'http://api.example.com',
  '/.',
  '/%2e',
  '/..',
  '/x/..',
  '/%2f',
  '*',
  '',
  '/\t/api.example.com',
  '/;',
  'v1',
  '//u@api.example.com:80',
];
const MARKS = [
  ':80',
  ':',
  ':99999',
  ':x',
  ':80:80',
  '.',
  '..',
  '.:80',
  ',api.example.com',
  ', elsewhere.test',
  '@api.example.com',
  '%00',
  '/',
  '/v1',
  '?',
  '#',
  '\\',
  '%2eexample.com',
  ';',
  '%25eth0',
  '\xe3\x80\x82com',
  '*',
  ' ',
  '\t',
];
const ODD_HOSTS = [
  '',
  '.',
  ':80',
  '[::1',
  '[]',
  '[2001:DB8:0::1]',
  '[2001:db8:0:0:0:0:0.0.0.1]',
  '[2001:db8::0001%1]',
  '127.1',
  '2130706433',
  '0x7f.1',
  '0177.0.0.1',
  '127.0.0.1.',
  '.example.com',
  'api%2eexample.com',
  '*.example.com',
  'ａpi.example.com',
];

export function spelling(random: Random): Spelling {
  return { authority: authority(random), target: target(random) };
}

function target(random: Random): string {
  let text = random.pick(PATHS);
  for (let changes = random.below(4); changes > 0; changes--) text = changed(text, random);
  if (random.chance(0.15)) text = random.pick(PREFIXES) + text;
  return text;
}

function changed(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  switch (random.below(5)) {
    case 0:
      return replaced(text, at, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
    case 1:
      return replaced(text, at, (byte) => (byte === byte.toUpperCase() ? byte.toLowerCase() : byte.toUpperCase()));
    case 2:
      return random.chance(0.5)
        ? `${text}/..${random.pick(PATHS)}`
        : `${text}${random.pick(PIECES)}${random.pick(PATHS)}`;
    default:
      return text.slice(0, at) + random.pick(PIECES) + text.slice(at);
  }
}

function replaced(text: string, at: number, change: (byte: string) => string): string {
  return at < text.length ? text.slice(0, at) + change(text[at]!) + text.slice(at + 1) : text;
}

/** Mostly a plain authority, so that requests get as far as their paths. */
function authority(random: Random): string {
  if (random.chance(0.05)) return Buffer.from(random.pick(ODD_HOSTS)).toString('latin1');
  let host = random.pick(HOSTS);
  if (random.chance(0.1)) host = host.toUpperCase();
  if (random.chance(0.1)) host += random.pick([':80', '.', '.:443', ':']);
  if (random.chance(0.1)) {
    const at = random.chance(0.5) ? host.length : random.below(host.length + 1);
    host = host.slice(0, at) + random.pick(MARKS) + host.slice(at);
  }
  return host;
}
