import type { PathData } from '../contract/pluginConfig.ts';

/**
 * The form in which the module compares paths: dot segments resolved, empty ones removed, characters that need no escape decoded.
 * The module does not show it for a refused request, so it is read here again; a test holds this reading against the module's
 * (filter/request/request.ts). Null for a path that the module refuses.
 */
export function normalisedPath(raw: string, data: readonly PathData[] = []): string | null {
  if (!raw.startsWith('/')) return null;
  const [escaped, empty] = [data.includes('escaped-slashes'), data.includes('empty-segments')];
  if ((escaped && /%2f/i.test(raw)) || (empty && raw.includes('//'))) return pathWithData(raw, escaped, empty);
  const names: string[] = [];
  const parts = raw.slice(1).split('/');
  let emptyAt = -1;
  let endsOpen = false;
  for (const part of parts) {
    endsOpen = true;
    if (part === '') {
      emptyAt = names.length;
      continue;
    }
    const segment = decoded(part);
    if (segment === null || segment.startsWith(';')) return null;
    const dots = /^(\.{1,2})(;?)/.exec(segment);
    const isDots = dots !== null && (segment.length === dots[1]!.length || dots[2] === ';');
    if (!isDots) {
      names.push(segment);
      endsOpen = false;
    } else if (segment.length > dots[1]!.length) return null;
    else if (segment === '..') {
      // some servers would remove a name here, others the empty segment
      if (names.length === emptyAt) return null;
      names.pop();
    }
  }
  const path = names.map((name) => `/${name}`).join('');
  return endsOpen ? `${path}/` : path;
}

/** Of an API in whose paths escaped slashes or empty segments are data (filter/request/pathData.ts). */
function pathWithData(raw: string, escaped: boolean, empty: boolean): string | null {
  const parts = raw.slice(1).split('/');
  if (/^\/(?:\/|%2f)/i.test(raw)) return null;
  const kept = parts.filter((part, at) => part !== '' || empty || at === parts.length - 1);
  const segments = kept.map((part) => {
    const inner = (escaped ? part.split(/%2f/i) : [part]).map(decoded);
    return inner.some((one) => one === null || /^(?:;|\.{1,2}(?:$|;|%3F|%23))/.test(one)) ? null : inner.join('%2F');
  });
  return segments.includes(null) ? null : `/${segments.join('/')}`;
}

const PATH_CHARACTER = /[A-Za-z0-9!$&'()*+,\-.:=@_~;]/;

/** Null for bytes that servers read in different ways: controls, `\`, `#`, escaped slashes, overlong UTF-8. */
function decoded(segment: string): string | null {
  let text = '';
  let previous = 0;
  for (let at = 0; at < segment.length; at++) {
    let byte = segment.charCodeAt(at);
    if (byte === 0x25) {
      const digits = segment.slice(at + 1, at + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return null;
      byte = Number.parseInt(digits, 16);
      if (byte < 0x20 || byte === 0x2f || byte === 0x5c || byte === 0x7f || isOverlong(previous, byte)) return null;
      const character = String.fromCharCode(byte);
      text += PATH_CHARACTER.test(character) ? character : `%${digits.toUpperCase()}`;
      at += 2;
    } else {
      if (byte <= 0x20 || byte === 0x7f || byte === 0x5c || byte === 0x23 || isOverlong(previous, byte)) return null;
      text += segment[at];
    }
    previous = byte;
  }
  return text;
}

function isOverlong(first: number, second: number): boolean {
  if ((second & 0xc0) !== 0x80) return false;
  return (first & 0xfe) === 0xc0 || (first === 0xe0 && second < 0xa0) || (first === 0xf0 && second < 0x90);
}
