/*
 * Models of servers that differ in how they read a request's host and path. Written independently of the module and in another
 * way: each is a sequence of plain string operations, and every combination of them may be somebody's server.
 */

/** How a server reads a request: the host, and the path without its query. */
export interface Reading {
  readonly host: string;
  readonly path: string;
}

export interface Reader {
  readonly name: string;
  readonly ignoresCase: boolean;
  /** Null when this server would refuse it. */
  read(authority: string, target: string): Reading | null;
}

type Step = readonly [name: string, change: (path: string) => string];

const UNRESERVED = /%(?:2[dD]|2[eE]|3\d|[46][1-9a-fA-F]|[57][0-9aA]|5[fF]|7[eE])/g;
const keep: Step = ['', (path) => path];
const decodeUnreserved: Step = ['decodes unreserved', (path) => path.replace(UNRESERVED, unescapeOne)];
const decodeAll: Step = ['decodes', decode];
const decodeLeniently: Step = [
  'decodes overlong UTF-8',
  (path) =>
    decode(path).replace(
      /[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]{2}/g,
      lastCharacter,
    ),
];
const dropParameters: Step = ['drops parameters', (path) => path.replace(/;[^/]*/g, '')];
const turnBackslashes: Step = ['takes \\ for /', (path) => path.replaceAll('\\', '/')];
const endAtDelimiter: Step = ['reads ? and # after decoding', (path) => path.replace(/[?#].*/s, '')];
const endAtNul: Step = ['ends at NUL', (path) => path.replace(/\0.*/s, '')];
const merge: Step = ['merges slashes', (path) => path.replace(/\/{2,}/g, '/')];
const resolve: Step = ['resolves dots', removeDotSegments];

function decode(path: string): string {
  return path.replace(/%[0-9a-fA-F]{2}/g, unescapeOne);
}

function unescapeOne(escape: string): string {
  return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
}

/** The character that a sequence of UTF-8 stands for, by its last two bytes: enough for ASCII. */
function lastCharacter(sequence: string): string {
  return String.fromCharCode(
    ((sequence.charCodeAt(sequence.length - 2) << 6) | (sequence.charCodeAt(sequence.length - 1) & 0x3f)) & 0x7f,
  );
}

/** Removes dot segments exactly as RFC 3986, 5.2.4 says. */
function removeDotSegments(path: string): string {
  let input = path;
  let output = '';
  while (input !== '') {
    if (/^\.{1,2}\//.test(input)) input = input.replace(/^\.{1,2}\//, '');
    else if (/^\/\.(?:\/|$)/.test(input)) input = input.replace(/^\/\.\/?/, '/');
    else if (/^\/\.\.(?:\/|$)/.test(input)) {
      input = input.replace(/^\/\.\.\/?/, '/');
      output = output.replace(/\/?[^/]*$/, '');
    } else if (input === '.' || input === '..') input = '';
    else {
      const segment = /^\/?[^/]*/.exec(input)![0];
      output += segment;
      input = input.slice(segment.length);
    }
  }
  return output;
}

const DECODING: Step[][] = [
  [keep],
  [decodeUnreserved],
  [decodeAll],
  [decodeAll, endAtDelimiter],
  [decodeAll, turnBackslashes],
  [decodeLeniently],
  [decodeAll, endAtNul],
];
const PARAMETERS: [before: Step, after: Step][] = [
  [keep, keep],
  [dropParameters, keep],
  [keep, dropParameters],
];
const SLASHES: Step[][] = [[resolve], [merge, resolve], [resolve, merge]];

/** All combinations of the steps in which servers read a path. */
function pipelines(): Reader[] {
  const readers: Reader[] = [];
  for (const decoding of DECODING) {
    for (const [before, after] of PARAMETERS) {
      for (const slashes of SLASHES) {
        for (const ignoresCase of [false, true]) {
          const steps = [before, ...decoding, after, ...slashes];
          const name = [
            ...steps.map(([step]) => step).filter((step) => step !== ''),
            ...(ignoresCase ? ['ignores case'] : []),
          ].join(', ');
          readers.push({
            name,
            ignoresCase,
            read: (authority, target) => ({
              host: hostOf(authority),
              path: steps.reduce((path, [, change]) => change(path), pathOf(target)),
            }),
          });
        }
      }
    }
  }
  return readers;
}

function pathOf(target: string): string {
  return target.replace(/\?.*/s, '');
}

/** The usual simple way: up to the port, without the root's dot. */
function hostOf(authority: string): string {
  return (/^\[[^\]]*\]/.exec(authority)?.[0] ?? authority.replace(/:.*/s, '')).replace(/\.$/, '').toLowerCase();
}

/** The URL standard, as Node, browsers and many frameworks read a target: relative to the host, or behind it. */
const URL_READERS: Reader[] = [
  {
    name: 'new URL(target, host)',
    ignoresCase: false,
    read: (authority, target) => urlReading(() => new URL(target, `http://${authority}`)),
  },
  {
    name: 'new URL(host + target)',
    ignoresCase: false,
    read: (authority, target) => (authority === '' ? null : urlReading(() => new URL(`http://${authority}${target}`))),
  },
];

function urlReading(parse: () => URL): Reading | null {
  try {
    const { hostname, pathname } = parse();
    return { host: hostname.replace(/\.$/, ''), path: decode(pathname) };
  } catch {
    return null;
  }
}

/** A target that begins with two slashes names a host (RFC 3986, 4.2); one with a scheme is absolute. */
const AUTHORITY_READER: Reader = {
  name: 'reads //host/path',
  ignoresCase: false,
  read: (authority, target) => {
    const [, host, path] = /^(?:[a-z]+:)?[/\\]{2}([^/\\?#]*)(.*)$/is.exec(target.replace(/[\t\r\n]/g, '')) ?? [
      null,
      authority,
      target,
    ];
    return { host: hostOf(host), path: removeDotSegments(pathOf(path)) };
  },
};

/** Ways in which servers find a host in an invalid authority. */
const HOST_READERS: Reader[] = (
  [
    ['the first of a list', (authority) => authority.split(',')[0]!],
    ['the last of a list', (authority) => authority.split(',').at(-1)!],
    ['behind user information', (authority) => authority.split('@').at(-1)!],
    ['decoded', (authority) => decode(authority)],
    ['up to a slash', (authority) => authority.split(/[/\\?#]/)[0]!],
    [
      'without empty labels',
      (authority) =>
        authority
          .replace(/:\d*$/, '')
          .split('.')
          .filter((label) => label !== '')
          .join('.'),
    ],
    ['up to the last colon', (authority) => authority.replace(/:[^:\]]*$/, '')],
    ["with the root's dot", (authority) => authority.replace(/:\d*$/, '').replace(/\.$/, '.root')],
  ] satisfies [string, (authority: string) => string][]
).map(([name, change]) => ({
  name: `host ${name}`,
  ignoresCase: false,
  read: (authority, target) => ({
    host: hostOf(change(authority).trim()),
    path: removeDotSegments(merge[1](decode(pathOf(target)))),
  }),
}));

export const READERS: readonly Reader[] = [...pipelines(), ...URL_READERS, AUTHORITY_READER, ...HOST_READERS];
