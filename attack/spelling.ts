import type { Random } from '../harness/random.ts';

/*
 * Spellings of paths and hosts: a place that is gated, written as nobody would who means well, or parts in any order.
 */
const PLACES = ['/v1/pets', '/v1', '/admin/area/x', '/public/x', '/free/x'];
const PARTS = [
  '/',
  '/',
  '/',
  '//',
  '///',
  '.',
  '..',
  '..',
  '%2e',
  '%2E%2e',
  '.%2e',
  ';',
  ';a=b',
  '%3b',
  '%3B',
  '..;',
  '..%3b',
  '%2f',
  '%2F',
  '\\',
  '%5c',
  'v1',
  'v1',
  'v1',
  'pets',
  'public',
  'admin',
  'area',
  'x',
  '%76%31',
  'V1',
  '@',
  ':',
  '%',
  '%zz',
  '%00',
  '%09',
  '%20',
  '%25',
  '%252e',
  '*',
  '~',
  '+',
  '%2B',
  '%c3%a9',
  'evil.test',
  'http://evil.test',
  '&',
  '=',
];
const DETOURS = [
  '/x/..',
  '/.',
  '/%2e',
  '/x/%2e%2e',
  '/',
  '//',
  '/x//..',
  '//../x/..',
  '/x/y/../..',
  '/x;a/..',
  '/;/..',
  '/..;',
  '/..%3b',
  '/%2e%2e;',
  '/x/..;a=b',
  '/%2e%2e%3b',
  '/public/..',
  '\\..',
  '/x\\..',
];
const TAILS = [
  '',
  '',
  '',
  '',
  '?a=1',
  '?/../v1',
  '/',
  '/..',
  '/.',
  '/..;',
  ';x',
  '%3bx',
  '//',
  '#x',
  '%2f',
  '/%2e',
  '?',
  '/x/..',
  '\\',
  '%00',
  '.',
  '%20',
];

export function spelledPath(random: Random): string {
  if (random.chance(0.4))
    return Array.from({ length: 1 + random.below(8) }, () => random.pick(PARTS))
      .join('')
      .replace(/^(?!\/|http)/, random.chance(0.9) ? '/' : '');
  let path = respelt(random, random.pick(PLACES));
  if (random.chance(0.1))
    path = `${random.pick(['//evil.test', '//', 'http://evil.test', 'http://api.example.com', '/\\', '/.', '/..', '/;', '/%2f'])}${path}`;
  return path + random.pick(TAILS);
}

/** A path by a detour or two, and with needless escapes. */
export function respelt(random: Random, path: string): string {
  for (let times = random.below(3); times > 0; times--) path = insertAtSlash(random, path, random.pick(DETOURS));
  return random.chance(0.4) ? escapeSome(random, path) : path;
}

function insertAtSlash(random: Random, path: string, what: string): string {
  const places = [...path.matchAll(/\//g)].map(({ index }) => index);
  const at = random.pick([...places, path.length]);
  return path.slice(0, at) + what + path.slice(at);
}

function escapeSome(random: Random, path: string): string {
  return [...path]
    .map((char) => {
      if (char === '%' || (char === '/' && random.chance(0.95)) || !random.chance(0.15)) return char;
      const hex = char.charCodeAt(0).toString(16).padStart(2, '0');
      return `%${random.chance(0.5) ? hex.toUpperCase() : hex}`;
    })
    .join('');
}

const HOSTS = ['api.example.com', 'a.pets.example.com', 'other.test', 'other.test', 'other.test', '[::1]', '127.0.0.1'];
const PREFIXES = ['u@', 'u:p@', 'other.test@', 'other.test,', 'x,', '.', ' ', 'other.test:80@', '%20'];
const SUFFIXES = [
  '.',
  '..',
  ':80',
  ':',
  ':99999',
  ':x',
  ':80:80',
  '.:80',
  ':080',
  ',other.test',
  ', other.test',
  '@other.test',
  '/',
  '\\',
  '?x',
  '#x',
  ':80,other.test',
  '%2e',
  '\t',
  '%00',
  ';x',
  ':+80',
];

export function spelledHost(random: Random): string {
  let host = random.pick(HOSTS);
  if (random.chance(0.5)) return host;
  if (random.chance(0.3)) host = host.toUpperCase();
  if (random.chance(0.1)) host = host.replace('.', '%2e');
  if (random.chance(0.4)) host = random.pick(PREFIXES) + host;
  return random.chance(0.7) ? host + random.pick(SUFFIXES) : host;
}
