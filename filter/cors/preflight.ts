import { NONE } from "../bytes/rows";
import { View, equals, equalsLower, lengthOf, literal, trim } from "../bytes/view";
import { Reason, decision } from "../decision/decision";
import { findHeader, headerValue, member, nextMember } from "../request/headers";
import { REQUESTED_METHOD, isPreflight } from "../request/request";
import { Api, Cors, Preflight } from "../tables/api";
import { Tables } from "../tables/tables";
import { FOREIGN, corsOf, originOf } from "./origin";

const GET = literal("GET");
const HEAD = literal("HEAD");
const POST = literal("POST");
const REQUESTED_HEADERS = literal("access-control-request-headers");

/**
 * What an API that treats preflights in its own way makes of a request. With cors it notes the origin that the request comes from, and
 * answers preflights: they carry no key, so none is looked for, and this comes before all that could refuse the request, because a
 * page reads a refusal only after its preflight was answered. Returns Allowed for a request that is still to be decided.
 */
export function judgeBrowser(tables: Tables, api: Api): Reason {
  if (api.preflight == Preflight.Allow) return isPreflight() ? Reason.Preflight : Reason.Allowed;
  const origin = originOf(tables, api);
  if (origin == NONE) return Reason.Allowed;
  decision.origin = origin;
  if (!isPreflight()) return Reason.Allowed;
  if (origin == FOREIGN) return Reason.PreflightRefused;
  const cors = corsOf(tables, origin);
  return takesMethod(tables, cors) && takesHeaders(tables, cors) ? Reason.PreflightAnswered : Reason.PreflightRefused;
}

/** Browsers ask for these methods only because of the request's headers, and want no permission for them. */
function takesMethod(tables: Tables, cors: Cors): bool {
  const method = headerValue(findHeader(REQUESTED_METHOD));
  if (equals(method, GET) || equals(method, HEAD) || equals(method, POST)) return true;
  return indexOfName(tables, cors.firstMethod, cors.methodCount, method, false) != NONE;
}

/** A browser sends each name once; so a list of more names than cors may have is none that it allows. */
function takesHeaders(tables: Tables, cors: Cors): bool {
  for (let i = findHeader(REQUESTED_HEADERS); i >= 0; i = findHeader(REQUESTED_HEADERS, i + 1)) {
    const list = headerValue(i);
    let names = 0;
    for (let at = nextMember(list, 0); at >= 0; at = nextMember(list, at)) {
      const name = trim(member);
      if (lengthOf(name) == 0) continue;
      if (++names > cors.headerCount) return false;
      if (indexOfName(tables, cors.firstHeader, cors.headerCount, name, true) == NONE) return false;
    }
  }
  return true;
}

function indexOfName(tables: Tables, first: i32, count: i32, name: View, ignoresCase: bool): i32 {
  for (let i = first; i < first + count; i++) {
    const known = tables.values.at(i).value;
    if (ignoresCase ? equalsLower(name, known) : equals(name, known)) return i;
  }
  return NONE;
}
