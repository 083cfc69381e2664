import { View, ABSENT, byteAt, equalsLower, lengthOf, literal, slice, trim } from "../bytes/view";
import { begin, end, writeByte, writeView } from "../bytes/writer";
import { isTokenByte } from "../bytes/token";
import { removeHeader, setHeader } from "../decision/edit";
import { findHeader, headerValue } from "../request/headers";
import { COMMA, member, nextMember } from "../request/list";
import { KeySourceKind } from "../tables/record";
import { Tables } from "../tables/tables";

/** `Authorization` may hold the credentials of several schemes, on lines of their own or joined with commas. */
export const AUTHORIZATION = literal("authorization");

/** More than anybody sends; the longest lists are the parameters of one Digest or signature. */
export const MAX_CREDENTIALS = 64;

/**
 * `Bearer KEY`: the scheme in any case, blanks, the key. What follows the scheme's name, or an empty view when nothing does;
 * ABSENT for credentials of another scheme, which are somebody else's. Some servers take more than blanks for blanks, so
 * nothing but a longer name makes it another scheme.
 */
export function credentialsOf(credentials: View, scheme: View): View {
  const total = lengthOf(credentials);
  let start = 0;
  while (start < total && !isTokenByte(byteAt(credentials, start))) start++;
  const after = start + lengthOf(scheme);
  if (after > total || !equalsLower(slice(credentials, start, after), scheme)) return ABSENT;
  if (after < total && isTokenByte(byteAt(credentials, after))) return ABSENT;
  return trim(slice(credentials, after, total));
}

/** Takes the credentials of the policy's schemes out of the header; others stay as they are. */
export function stripAuthorization(tables: Tables): void {
  begin();
  let some = false;
  for (let i = findHeader(AUTHORIZATION); i >= 0; i = findHeader(AUTHORIZATION, i + 1)) {
    const list = headerValue(i);
    for (let at = nextMember(list, 0); at >= 0; at = nextMember(list, at)) {
      if (isOfPolicy(tables, member)) continue;
      if (some) writeByte(COMMA);
      writeView(member);
      some = true;
    }
  }
  const rest = trim(end());
  if (hasCredentials(rest)) setHeader(AUTHORIZATION, rest);
  else removeHeader(AUTHORIZATION);
}

function isOfPolicy(tables: Tables, credentials: View): bool {
  for (let i = 0; i < tables.keySources.count; i++) {
    const source = tables.keySources.at(i);
    if (source.kind == KeySourceKind.Authorization && credentialsOf(credentials, source.name) != ABSENT) return true;
  }
  return false;
}

/** False for commas and blanks alone. */
function hasCredentials(list: View): bool {
  for (let i = 0, n = lengthOf(list); i < n; i++) {
    if (isTokenByte(byteAt(list, i))) return true;
  }
  return false;
}
