/*
 * How others read a path and a host: not Tollgate, and none of its code. Each gives the path that it would look up, decoded, or
 * null when it would refuse. What one of them reads as a gated place must not be reached without a key.
 */
export type PathReader = (path: string) => string | null;

/** `.` and `..` resolved as RFC 3986, 5.2.4 says; other segments, empty ones too, stay. */
function resolveDots(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  segments.forEach((segment, i) => {
    const isLast = i === segments.length - 1;
    if (segment === '..') kept.pop();
    else if (segment !== '.') return void kept.push(segment);
    if (isLast) kept.push('');
  });
  return `/${kept.join('/')}`;
}

function mergeSlashes(path: string): string {
  return path.replace(/\/{2,}/g, '/');
}

/** Bytes as they are; escapes that are none stay. */
function decode(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function decodeDots(path: string): string {
  return path.replace(/%2e/gi, '.');
}

function withoutParameters(path: string): string {
  return path.replace(/;[^/]*/g, '');
}

function withoutQuery(target: string): string {
  return /^[^?#]*/.exec(target)![0];
}

/** `//host/path` is a reference to another authority: its path is what follows. */
function afterAuthority(path: string): string | null {
  const found = /^\/\/[^/]*(\/.*)?$/s.exec(path);
  return found ? (found[1] ?? '/') : null;
}

/** Origin form begins with `/`; a path that does not is looked up as one by lenient servers. */
function rooted(path: string): string {
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/[^/]*(.*)$/is.exec(path);
  const rest = absolute ? absolute[1]! : path;
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function whatwg(target: string): string | null {
  try {
    return decode(new URL(target, 'http://base.test').pathname);
  } catch {
    return null;
  }
}

function whatwgBehindHost(target: string): string | null {
  try {
    return decode(new URL(`http://base.test${rooted(target)}`).pathname);
  } catch {
    return null;
  }
}

const from =
  (read: (path: string) => string | null): PathReader =>
  (target) =>
    read(rooted(withoutQuery(target)));

export const PATH_READERS: Readonly<Record<string, PathReader>> = {
  'as it stands': from((path) => path),
  'decoded, nothing resolved': from((path) => mergeSlashes(decode(path))),
  'WHATWG URL against a base': whatwg,
  'WHATWG URL behind a host': whatwgBehindHost,
  'RFC 3986, then decoded': from((path) => decode(resolveDots(decodeDots(path)))),
  'RFC 3986, then merged': from((path) => mergeSlashes(decode(resolveDots(decodeDots(path))))),
  'merged, then RFC 3986': from((path) => decode(resolveDots(decodeDots(mergeSlashes(path))))),
  'decoded, then RFC 3986': from((path) => resolveDots(decode(path))),
  'decoded, merged, then RFC 3986': from((path) => resolveDots(mergeSlashes(decode(path)))),
  'decoded, RFC 3986, merged': from((path) => mergeSlashes(resolveDots(decode(path)))),
  'a servlet: parameters dropped, decoded, merged, resolved': from((path) =>
    resolveDots(mergeSlashes(decode(withoutParameters(path)))),
  ),
  'a servlet that decodes first': from((path) => resolveDots(mergeSlashes(withoutParameters(decode(path))))),
  'parameters dropped, not merged': from((path) => decode(resolveDots(withoutParameters(decodeDots(path))))),
  'backslashes are slashes': from((path) => resolveDots(mergeSlashes(decode(path).replaceAll('\\', '/')))),
  'a network path, resolved': (target) => {
    const rest = afterAuthority(withoutQuery(target));
    return rest === null ? null : mergeSlashes(decode(resolveDots(decodeDots(rest))));
  },
};

/** A path's last part that begins like a parameter still names the segment before it. */
export function liesUnder(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}

export type HostReader = (host: string) => string | null;

const lower = (text: string): string => text.trim().toLowerCase();
const withoutUser = (text: string): string => text.slice(text.lastIndexOf('@') + 1);
const withoutDots = (text: string): string => text.replace(/\.+$/, '');

export const HOST_READERS: Readonly<Record<string, HostReader>> = {
  'as it stands': lower,
  'up to the first colon': (host) => withoutDots(lower(host).split(':')[0]!),
  'up to the last colon': (host) => withoutDots(lower(host).replace(/:[^:]*$/, '')),
  'without the user': (host) => withoutDots(withoutUser(lower(host)).split(':')[0]!),
  'the first of a list': (host) => withoutDots(lower(lower(host).split(',')[0]!).split(':')[0]!),
  'the last of a list': (host) => withoutDots(lower(lower(host).split(',').at(-1)!).split(':')[0]!),
  decoded: (host) => withoutDots(decode(lower(host)).split(':')[0]!),
  'WHATWG URL': (host) => {
    try {
      return withoutDots(new URL(`http://${host}/`).hostname);
    } catch {
      return null;
    }
  },
};

/** What a client means that sends this path: dots and slashes resolved, and every other byte as it stands; null when readers differ. */
export function meantPath(path: string): string | null {
  const mergedFirst = mergeSlashes(resolveWithEscapes(mergeSlashes(path)));
  const resolvedFirst = mergeSlashes(resolveWithEscapes(path));
  return mergedFirst === resolvedFirst ? mergedFirst : null;
}

/** Segments of escaped dots are dots; others keep their escapes. */
function resolveWithEscapes(path: string): string {
  return resolveDots(
    path
      .split('/')
      .map((segment) => (/^(\.|%2e){1,2}$/i.test(segment) ? decodeDots(segment) : segment))
      .join('/'),
  );
}
