import { begin, end, writeNumber, writeView } from "../bytes/arena";
import { NONE } from "../bytes/rows";
import { ABSENT, View, literal } from "../bytes/view";
import { WARNING } from "../tables/disclosure";
import { RATELIMIT_WARNING } from "./warning";
import { EXPOSED_HEADERS, X_RATELIMIT_HEADERS } from "../config/contract";
import { FOREIGN, corsOf, sentOrigin } from "../cors/origin";
import { Reason, decision } from "../decision/decision";
import { Cors } from "../tables/api";
import { Tables } from "../tables/tables";
import { RateLimitHeaders } from "../tables/disclosure";
import { addPair } from "./pairs";

export const ALLOW_ORIGIN = literal("access-control-allow-origin");
export const ALLOW_CREDENTIALS = literal("access-control-allow-credentials");
export const EXPOSE_HEADERS = literal("access-control-expose-headers");
export const VARY = literal("vary");
export const VARY_BY_ORIGIN = literal("Origin");
export const TRUE = literal("true");
const ALLOW_METHODS = literal("access-control-allow-methods");
const ALLOW_HEADERS = literal("access-control-allow-headers");
const MAX_AGE = literal("access-control-max-age");
const VARY_BY_QUESTION = literal("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
const SEPARATOR = literal(", ");
/** How many of EXPOSED_HEADERS are of quotas. */
const QUOTA_HEADERS = 2;

/** True for the two answers to a preflight, which have no body. */
export function answersPreflight(reason: Reason): bool {
  return reason == Reason.PreflightAnswered || reason == Reason.PreflightRefused;
}

/**
 * Adds to a reply of the module's own what lets a page on the request's origin read it; for an answer to a preflight, what the page
 * may ask for. An origin that is not allowed gets no header but `vary`.
 */
export function addCorsPairs(tables: Tables): void {
  const isPreflight = answersPreflight(decision.reason);
  if (decision.origin == FOREIGN) return addPair(VARY, isPreflight ? VARY_BY_QUESTION : VARY_BY_ORIGIN);
  const cors = corsOf(tables, decision.origin);
  addPair(ALLOW_ORIGIN, allowedOrigin(tables));
  if (cors.credentials) addPair(ALLOW_CREDENTIALS, TRUE);
  if (isPreflight) return addPermissions(cors);
  addPair(EXPOSE_HEADERS, cors.exposedText);
  if (!isAnyOrigin(tables, decision.origin)) addPair(VARY, VARY_BY_ORIGIN);
}

function addPermissions(cors: Cors): void {
  if (cors.methodCount > 0) addPair(ALLOW_METHODS, cors.methodText);
  if (cors.headerCount > 0) addPair(ALLOW_HEADERS, cors.headerText);
  if (cors.maxAgeSeconds != NONE) {
    begin(20);
    writeNumber(cors.maxAgeSeconds);
    addPair(MAX_AGE, end());
  }
  addPair(VARY, VARY_BY_QUESTION);
}

/** The value of access-control-allow-origin for the request just decided, whose origin is allowed. */
export function allowedOrigin(tables: Tables): View {
  return isWildcard(tables, decision.origin) ? sentOrigin() : tables.origins.at(decision.origin).start;
}

/** True where the answer must name the origin that was sent. */
export function isWildcard(tables: Tables, origin: i32): bool {
  return tables.origins.at(origin).domain != ABSENT;
}

/** True where the answer is the same for all origins, so that it does not vary. */
export function isAnyOrigin(tables: Tables, origin: i32): bool {
  return tables.origins.at(origin).isAny;
}

/** Makes the lists that answers show; they stay the same as long as the tables. */
export function keepCorsTexts(tables: Tables): void {
  for (let i = 0; i < tables.cors.count; i++) {
    const cors = tables.cors.at(i);
    begin();
    writeNames(tables, cors.firstMethod, cors.methodCount);
    cors.methodText = tables.texts.keep(end());
    begin();
    writeNames(tables, cors.firstHeader, cors.headerCount);
    cors.headerText = tables.texts.keep(end());
    begin();
    writeOwn(tables);
    if (cors.exposedCount > 0) writeView(SEPARATOR);
    writeNames(tables, cors.firstExposed, cors.exposedCount);
    cors.exposedText = tables.texts.keep(end());
  }
}

/** The headers of the module's own answers: the first two are of quotas, and stand where callers are told in that way. */
function writeOwn(tables: Tables): void {
  const told = tables.rateLimitHeaders & ~WARNING;
  if (told == RateLimitHeaders.Standard && tables.rateLimitHeaders != told) {
    writeView(RATELIMIT_WARNING);
    writeView(SEPARATOR);
  }
  const isStandard = told == RateLimitHeaders.Standard || told == RateLimitHeaders.Refusals;
  if (told == RateLimitHeaders.XRatelimit)
    for (let k = 0; k < X_RATELIMIT_HEADERS.length; k++) {
      writeView(X_RATELIMIT_HEADERS[k]);
      writeView(SEPARATOR);
    }
  const first = isStandard ? 0 : QUOTA_HEADERS;
  for (let k = first; k < EXPOSED_HEADERS.length; k++) {
    if (k > first) writeView(SEPARATOR);
    writeView(EXPOSED_HEADERS[k]);
  }
  if (tables.keyEndHeader == ABSENT) return;
  writeView(SEPARATOR);
  writeView(tables.keyEndHeader);
}

function writeNames(tables: Tables, first: i32, count: i32): void {
  for (let i = 0; i < count; i++) {
    if (i > 0) writeView(SEPARATOR);
    writeView(tables.values.at(first + i).value);
  }
}
