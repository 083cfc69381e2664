import { View, byteAt, equals, hexDigit, isTokenByte, lengthOf, literal, slice, startsWith } from "../bytes/view";
import { isOwnHeader, isPathCharacter } from "../request/request";
import {
  DIGEST_DIGITS,
  FRAMING_HEADERS,
  MAX_DETAIL_BYTES,
  MAX_NAME_BYTES,
  MAX_PATH_BYTES,
  MAX_VALUE_BYTES,
  OWN_PREFIX,
  SHOWN_DIGEST_DIGITS,
} from "./contract";
import { ALLOW, DENY, ENFORCE, OBSERVE } from "./field";
import { Mode } from "../tables/quota";
import { Reader } from "./reader";

/** Rules for single values of a plugin config. Each function reads one value, and refuses it with the rule as message. */

/** Letters, digits, `.`, `_`, `@` and `-`, which are safe in headers, logs and metric names. */
export function readName(reader: Reader): View {
  const name = reader.text(1, MAX_NAME_BYTES);
  for (let i = 0, n = lengthOf(name); i < n; i++) {
    if (!isNameByte(byteAt(name, i))) {
      reader.fail(literal("must be a name of letters, digits, '.', '_', '@' and '-'"));
      break;
    }
  }
  return name;
}

/** A consumer's encoded name: `%` and two hex digits stand for each byte that could end a word in a header or log. */
export function readConsumerName(reader: Reader): View {
  const name = reader.text(1, MAX_NAME_BYTES);
  for (let i = 0, n = lengthOf(name); i < n; i++) {
    if (!isConsumerByte(byteAt(name, i))) {
      reader.fail(
        literal("must be a name of letters, digits and ._@+|:/=~-, with % and two hex digits for each other byte"),
      );
      break;
    }
  }
  return name;
}

function isNameByte(byte: u8): bool {
  return isAlphanumeric(byte) || byte == 0x2d || byte == 0x2e || byte == 0x5f || byte == 0x40;
}

/** In addition to those of a name: `+ | : / = ~ %`. */
function isConsumerByte(byte: u8): bool {
  return (
    isNameByte(byte) ||
    byte == 0x2b ||
    byte == 0x7c ||
    byte == 0x3a ||
    byte == 0x2f ||
    byte == 0x3d ||
    byte == 0x7e ||
    byte == 0x25
  );
}

/** A header name in lower case that is neither a pseudo header nor Tollgate's own. */
export function readHeaderName(reader: Reader): View {
  return asHeaderName(reader, reader.text(1, MAX_NAME_BYTES));
}

function asHeaderName(reader: Reader, name: View): View {
  for (let i = 0, n = lengthOf(name); i < n; i++) {
    if (!isLowerToken(byteAt(name, i))) {
      reader.fail(literal("must be a header name in lower case, without '*'"));
      return name;
    }
  }
  if (startsWith(name, OWN_PREFIX)) reader.fail(literal("must not be a header of Tollgate itself"));
  return name;
}

/** A header that a route may change or a mock may have: not one that frames a message. */
export function readChangeable(reader: Reader): View {
  return asChangeable(reader, reader.text(1, MAX_NAME_BYTES));
}

/** A header that tells the upstream of a decision: the standard one, or one that a route may change too. */
export function readIdentityHeader(reader: Reader, standard: View): View {
  const name = reader.text(1, MAX_NAME_BYTES);
  if (reader.failed || equals(name, standard)) return name;
  if (isOwnHeader(name)) reader.fail(literal("must be %q, or not begin with 'x-tollgate-'"), standard);
  return asChangeable(reader, name);
}

function asChangeable(reader: Reader, given: View): View {
  const name = asHeaderName(reader, given);
  for (let i = 0; i < FRAMING_HEADERS.length; i++) {
    if (equals(FRAMING_HEADERS[i], name)) reader.fail(literal("must not be a header that frames the message"));
  }
  return name;
}

/** A token in any case: an authorization scheme, a query parameter, a cookie, a method. */
export function readToken(reader: Reader): View {
  const token = reader.text(1, MAX_NAME_BYTES);
  for (let i = 0, n = lengthOf(token); i < n; i++) {
    if (!isPlainToken(byteAt(token, i))) {
      reader.fail(literal("must be a token, without '*'"));
      break;
    }
  }
  return token;
}

/** A query parameter's name, decoded. */
export function readParameterName(reader: Reader): View {
  const name = reader.text(1, MAX_NAME_BYTES);
  for (let i = 0, n = lengthOf(name); i < n; i++) {
    if (!isParameterByte(byteAt(name, i))) {
      reader.fail(literal("must be a name of letters, digits and -._~!$'()[]:@,/"));
      break;
    }
  }
  return name;
}

/** Without `*` and `%`: a name that contains one is meant as a pattern, or as an escape. */
function isParameterByte(byte: u8): bool {
  if (byte == 0x5b || byte == 0x5d || byte == 0x2c || byte == 0x2f) return true;
  return isPathCharacter(byte) && byte != 0x2a && byte != 0x26 && byte != 0x2b && byte != 0x3d;
}

export function readHeaderValue(reader: Reader): View {
  return withoutControls(reader, reader.text(0, MAX_VALUE_BYTES));
}

/** The value of a header that replies show. */
export function readShownValue(reader: Reader): View {
  return withoutControls(reader, reader.text(1, MAX_VALUE_BYTES));
}

/** What a refused caller is told, in UTF-8. */
export function readDetail(reader: Reader): View {
  return withoutControls(reader, reader.text(1, MAX_DETAIL_BYTES));
}

function withoutControls(reader: Reader, value: View): View {
  for (let i = 0, n = lengthOf(value); i < n; i++) {
    const byte = byteAt(value, i);
    if (byte < 0x20 || byte == 0x7f) {
      reader.fail(literal("must not hold control characters"));
      break;
    }
  }
  return value;
}

/** A SHA-256 in hex, of which the first digits are shown. */
export function readShownDigest(reader: Reader): View {
  const digest = reader.text(DIGEST_DIGITS, DIGEST_DIGITS);
  for (let i = 0, n = lengthOf(digest); i < n; i++) {
    if (hexDigit(byteAt(digest, i)) < 0) {
      reader.fail(literal("must be the 64 hex digits of a SHA-256 digest"));
      return digest;
    }
  }
  return slice(digest, 0, min(lengthOf(digest), SHOWN_DIGEST_DIGITS));
}

/** Printable ASCII that needs no escapes in quotes. */
export function readRealm(reader: Reader): View {
  const realm = reader.text(1, MAX_NAME_BYTES);
  for (let i = 0, n = lengthOf(realm); i < n; i++) {
    const byte = byteAt(realm, i);
    if (byte < 0x20 || byte >= 0x7f || byte == 0x22 || byte == 0x5c) {
      reader.fail(literal("must be printable ASCII without '\"' and '\\'"));
      break;
    }
  }
  return realm;
}

/**
 * A path in the normalised form of requests: begins with `/`, no empty or dot segments, no escapes. Patterns are refused, because
 * `/admin/*` and `/pets/:id` would cover nothing and leave unprotected what they were meant to protect.
 */
export function readPrefix(reader: Reader): View {
  const path = reader.text(1, MAX_PATH_BYTES);
  if (!reader.failed && !isPrefix(path))
    reader.fail(
      literal(
        "must be a path: '/' first, then letters, digits and -._~!$&'()+,=:@/, no '//', '.' or '..', no segment that begins with ':' or '('",
      ),
    );
  return path;
}

/** The rule of `readPrefix`. */
export function isPrefix(path: View): bool {
  const length = lengthOf(path);
  if (length == 0 || byteAt(path, 0) != 0x2f) return false;
  for (let i = 0; i < length; i++) {
    const byte = byteAt(path, i);
    if (byte == 0x2f ? i + 1 < length && !isSegmentStart(path, i + 1) : !isPathCharacter(byte) || byte == 0x2a)
      return false;
  }
  return true;
}

function isSegmentStart(path: View, at: i32): bool {
  const byte = byteAt(path, at);
  return byte != 0x2f && byte != 0x3a && byte != 0x28 && !isDotSegment(path, at);
}

export function isDotSegment(path: View, from: i32): bool {
  const length = lengthOf(path);
  let end = from;
  while (end < length && byteAt(path, end) == 0x2e) end++;
  return end > from && end - from <= 2 && (end == length || byteAt(path, end) == 0x2f);
}

/** An operation's name: its own, or methods and template, such as `GET/pets/{id}`. */
export function readOperationName(reader: Reader): View {
  const name = reader.text(1, MAX_NAME_BYTES);
  for (let i = 0, n = lengthOf(name); i < n; i++) {
    const byte = byteAt(name, i);
    if (!isPathCharacter(byte) && byte != 0x2f && byte != 0x7b && byte != 0x7d) {
      reader.fail(literal("must be a name of letters, digits and -._~!$&'()*+,=:@/{}"));
      break;
    }
  }
  return name;
}

/** A scope (RFC 6749, 3.3): printable ASCII without spaces, quotes and backslashes. */
export function readScope(reader: Reader): View {
  const scope = reader.text(1, MAX_NAME_BYTES);
  for (let i = 0, n = lengthOf(scope); i < n; i++) {
    const byte = byteAt(scope, i);
    if (byte <= 0x20 || byte >= 0x7f || byte == 0x22 || byte == 0x5c) {
      reader.fail(literal("must be printable ASCII without spaces, '\"' and '\\'"));
      break;
    }
  }
  return scope;
}

/** `allow` gives true, `deny` false. */
export function readAllow(reader: Reader): bool {
  const word = reader.text(1, MAX_NAME_BYTES);
  if (equals(word, ALLOW)) return true;
  if (!equals(word, DENY)) reader.fail(literal('must be "allow" or "deny"'));
  return false;
}

/** `enforce` or `observe`. */
export function readMode(reader: Reader): Mode {
  const word = reader.text(1, MAX_NAME_BYTES);
  if (equals(word, OBSERVE)) return Mode.Observe;
  if (!equals(word, ENFORCE)) reader.fail(literal('must be "enforce" or "observe"'));
  return Mode.Enforce;
}

function isAlphanumeric(byte: u8): bool {
  return (byte | 0x20) - 0x61 < 26 || byte - 0x30 < 10;
}

/** Characters of header names, which Envoy has in lower case. */
function isLowerToken(byte: u8): bool {
  return isPlainToken(byte) && byte - 0x41 >= 26;
}

/** Without `*`: a name that contains one is meant as a pattern. */
function isPlainToken(byte: u8): bool {
  return isTokenByte(byte) && byte != 0x2a;
}
