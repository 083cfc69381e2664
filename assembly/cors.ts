import {
  ABSENT,
  ALLOW_CREDENTIALS,
  ALLOW_ORIGIN,
  EXPOSE_HEADERS,
  FOREIGN,
  TRUE,
  Tables,
  VARY,
  VARY_BY_ORIGIN,
  allowedOrigin,
  corsOf,
  decision,
  isAnyOrigin,
  isWildcard,
  literal,
} from "../filter/index";
import { HeaderMap, addHeader, filterState, removeHeader, replaceHeader, setFilterState } from "./host";

/** Where the origin stands until the response, because the request's headers are gone by then. */
const SENT_ORIGIN = literal("tollgate.origin");

/** Keeps for the response where the request just decided comes from, where the tables alone do not say so. */
export function keepOrigin(tables: Tables): void {
  if (decision.origin != FOREIGN && isWildcard(tables, decision.origin))
    setFilterState(SENT_ORIGIN, allowedOrigin(tables));
}

/**
 * Writes the API's cors to a response, whoever made it. What an upstream says itself is replaced: two values would be none to a
 * browser, and an origin that the policy does not allow must not get in through an upstream that allows all.
 */
export function writeCors(tables: Tables, origin: i32): void {
  const allowed =
    origin == FOREIGN
      ? ABSENT
      : isWildcard(tables, origin)
        ? filterState(SENT_ORIGIN)
        : tables.origins.at(origin).start;
  if (origin == FOREIGN || !isAnyOrigin(tables, origin)) addHeader(HeaderMap.Response, VARY, VARY_BY_ORIGIN);
  if (allowed == ABSENT) {
    removeHeader(HeaderMap.Response, ALLOW_ORIGIN);
    return;
  }
  const cors = corsOf(tables, origin);
  replaceHeader(HeaderMap.Response, ALLOW_ORIGIN, allowed);
  replaceHeader(HeaderMap.Response, EXPOSE_HEADERS, cors.exposedText);
  if (cors.credentials) replaceHeader(HeaderMap.Response, ALLOW_CREDENTIALS, TRUE);
  else removeHeader(HeaderMap.Response, ALLOW_CREDENTIALS);
}
