import { NONE } from "../bytes/rows";
import { begin, end, writeByte, writeView } from "../bytes/arena";
import { ABSENT, View, byteAt, equals, lengthOf, literal, nameInPlace, slice, startsWith } from "../bytes/view";
import { name as hostName, readHost } from "../request/host";
import { API_ID, counterId } from "../tables/counterId";
import { Reason } from "../decision/decision";
import { Credential, KEYS_ONLY, takes } from "../tables/alias";
import { NO_LIFECYCLE } from "../tables/lifecycle";
import { Api, HAS_COST, NOT_SETTLED, Preflight } from "../tables/api";
import { Tables } from "../tables/tables";
import { decodeCredentials } from "./identity";
import { decodeLifecycle, isLifecycle } from "./lifecycle";
import { decodeKeySources, readForwardKey } from "./keySource";
import { addMe, decodeMe } from "./me";
import { Names } from "./names";
import { Reader } from "./reader";
import { checkSettlement, decodeOperation, decodeSettlement, plantOperations } from "./operation";
import { checkPathData, decodePathData } from "./pathData";
import { WILDCARD, decodeOrigin } from "./restriction";
import { decodeRoute } from "./route";
import { readAllow, readHeaderName, readMode, readName, readPrefix, readToken } from "./rule";
import {
  DEFAULT_ROUTE,
  MAX_CORS_AGE_SECONDS,
  MAX_CORS_NAMES,
  MAX_COST,
  MAX_HOST_BYTES,
  MAX_MOUNTS,
  MAX_ORIGINS,
} from "./contract";
import * as Field from "./field";

export function decodeApi(reader: Reader, tables: Tables, names: Names): void {
  const index = tables.apis.count;
  const made = tables.apis.add();
  made.visitorPlan = NONE;
  made.visitorOffer = NONE;
  made.cost = 1;
  const hosts: View[] = [];
  const paths: View[] = [];
  let name: View = ABSENT;
  let cors = NONE;
  const firstRoute = tables.routes.count;
  const firstOperation = tables.operations.count;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.NAME, 0)) {
      name = readName(reader);
      if (!reader.failed && !names.apis.add(name)) reader.fail(literal("a second API named %q"), name);
    } else if (reader.takes(Field.PATHS, 1)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) paths.push(readPrefix(reader));
    } else if (reader.takes(Field.HOSTS, 2)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) hosts.push(readHostOrWildcard(reader));
      if (hosts.length == 0) reader.fail(literal("needs a host; leave the field out for any host"));
    } else if (reader.takes(Field.PLANS, 3)) {
      decodeOffers(reader, tables, index);
    } else if (reader.takes(Field.ANONYMOUS, 4)) {
      tables.apis.at(index).anonymous = readAllow(reader);
    } else if (reader.takes(Field.ANONYMOUS_PLAN, 16)) {
      decodeVisitors(reader, tables, index);
    } else if (reader.takes(Field.PREFLIGHT, 5)) {
      if (readAllow(reader)) tables.apis.at(index).preflight = Preflight.Allow;
    } else if (reader.takes(Field.CORS, 7)) {
      cors = decodeCors(reader, tables);
    } else if (reader.takes(Field.ROUTES, 6)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodeRoute(reader, tables, firstRoute);
    } else if (reader.takes(Field.OPERATIONS, 8)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodeOperation(reader, tables);
      if (tables.operations.count == firstOperation)
        reader.fail(literal("needs an operation; leave the field out for all paths"));
    } else if (reader.takes(Field.UNLISTED, 9)) {
      tables.apis.at(index).unlistedAllowed = readAllow(reader);
    } else if (isLifecycle(reader)) {
      const api = tables.apis.at(index);
      api.lifecycle = decodeLifecycle(reader, tables, api.lifecycle);
    } else if (reader.takes(Field.PATH_DATA, 22)) {
      tables.apis.at(index).pathData = decodePathData(reader, tables);
    } else if (reader.takes(Field.ME, 23)) {
      decodeMe(reader, tables, tables.apis.at(index));
    } else if (reader.takes(Field.COST, 27)) {
      tables.apis.at(index).cost = reader.integer(1, MAX_COST);
    } else if (reader.takes(Field.SETTLEMENT, 28)) {
      tables.apis.at(index).settlement = decodeSettlement(reader, tables);
    } else if (reader.takes(Field.CREDENTIALS, 20)) {
      tables.apis.at(index).credentials = decodeCredentials(reader);
    } else if (reader.takes(Field.MODE, 15)) {
      tables.apis.at(index).mode = readMode(reader);
    } else if (reader.takes(Field.KEY_SOURCES, 25)) {
      decodeKeySources(reader, tables, tables.apis.at(index));
    } else if (reader.takes(Field.FORWARD_KEY, 26)) {
      tables.apis.at(index).forwardKey = readForwardKey(reader);
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
  reader.needs(1, Field.PATHS);
  if (reader.failed) return;
  if (paths.length == 0) reader.fail(literal("needs a path"));
  if (cors != NONE && tables.apis.at(index).preflight == Preflight.Allow)
    reader.fail(literal("preflight: must not be allow beside cors, which answers preflights"));

  const api = tables.apis.at(index);
  api.name = tables.texts.keep(name);
  api.cors = cors;
  if (cors != NONE) api.preflight = Preflight.Answer;
  api.id = counterId(API_ID, 0, name);
  api.firstOperation = firstOperation;
  api.operationCount = tables.operations.count - firstOperation;
  if (api.operationCount == 0 && reader.has(9)) reader.fail(literal("unlisted goes with operations"));
  addMe(reader, tables, api);
  if (api.operationCount > 0) plantOperations(reader, tables, api);
  api.firstRoute = firstRoute;
  api.routeCount = tables.routes.count - firstRoute;
  checkPathData(reader, tables, api);
  checkSettlement(reader, tables, api.settlement, api.cost);
  if (hasCost(tables, api)) api.pathData |= HAS_COST;
  api.hasLife = hasLife(tables, api);
  api.isEntered = api.hasLife || api.pathData != 0;
  api.isFollowed =
    api.hasLife || (api.pathData & HAS_COST) != 0 || api.mePath != ABSENT || takes(api.credentials, Credential.Token);
  api.unidentified = takes(api.credentials, Credential.Key) ? Reason.MissingApiKey : Reason.MissingCredential;
  api.isSpecial =
    api.preflight != Preflight.Deny ||
    api.operationCount > 0 ||
    api.hasLife ||
    api.pathData != 0 ||
    api.credentials != KEYS_ONLY;
  api.defaultRoute = qualify(tables, name, DEFAULT_ROUTE);
  for (let i = firstRoute; i < tables.routes.count; i++) {
    const route = tables.routes.at(i);
    route.name = qualify(tables, name, route.name);
  }
  addMounts(reader, tables, index, hosts, paths);
}

/** `{"plan": "free", "header": "x-device"}`: the plan of callers without a key, and what tells them apart. */
function decodeVisitors(reader: Reader, tables: Tables, index: i32): void {
  const api = tables.apis.at(index);
  api.anonymous = true;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.PLAN, 0)) api.visitorPlan = nameInPlace(readName(reader));
    else if (reader.takes(Field.HEADER, 1)) api.visitorHeader = tables.texts.keep(readHeaderName(reader));
    else reader.unknownField();
  }
  reader.needs(0, Field.PLAN);
}

/** True when requests to what it does not list cost more than a unit, or some answers are settled. */
function hasCost(tables: Tables, api: Api): bool {
  for (let i = api.firstOperation; i < api.firstOperation + api.operationCount; i++) {
    if (tables.operations.at(i).settlement != NOT_SETTLED) return true;
  }
  return api.cost != 1 || api.settlement != NOT_SETTLED;
}

function hasLife(tables: Tables, api: Api): bool {
  for (let i = api.firstRoute; i < api.firstRoute + api.routeCount; i++) {
    if (tables.routes.at(i).lifecycle != NO_LIFECYCLE) return true;
  }
  for (let i = api.firstOperation; i < api.firstOperation + api.operationCount; i++) {
    if (tables.operations.at(i).lifecycle != NO_LIFECYCLE) return true;
  }
  return api.lifecycle != NO_LIFECYCLE;
}

/** `<api>/<route>`: what the upstream and Envoy's route table see. */
function qualify(tables: Tables, api: View, route: View): View {
  begin();
  writeView(api);
  writeByte(0x2f);
  writeView(route);
  return tables.texts.keep(end());
}

function decodeOffers(reader: Reader, tables: Tables, api: i32): void {
  const first = tables.offers.count;
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    const plan = readName(reader);
    for (let k = first; k < tables.offers.count; k++) {
      if (equals(tables.offers.at(k).planName, plan)) reader.fail(literal("plan given twice"));
    }
    const offer = tables.offers.add();
    offer.planName = plan;
    offer.api = api;
  }
  tables.apis.at(api).firstOffer = first;
  tables.apis.at(api).offerCount = tables.offers.count - first;
}

/** A host in the normalised spelling of requests, or `*.` and a domain. */
function readHostOrWildcard(reader: Reader): View {
  const host = reader.text(1, MAX_HOST_BYTES);
  const length = lengthOf(host);
  const isWildcard = startsWith(host, WILDCARD);
  const domain = isWildcard ? slice(host, lengthOf(WILDCARD), length) : host;
  if (
    lengthOf(domain) == 0 ||
    !readHost(domain) ||
    !equals(hostName, domain) ||
    (isWildcard && byteAt(domain, 0) == 0x5b)
  ) {
    reader.fail(
      literal("must be a host in lower case without port, or '*.' and a domain; an address in its usual form"),
    );
  }
  return host;
}

function addMounts(reader: Reader, tables: Tables, api: i32, hosts: View[], paths: View[]): void {
  if (hosts.length == 0) hosts.push(ABSENT);
  for (let h = 0; h < hosts.length; h++) {
    let host = hosts[h];
    if (host != ABSENT) {
      // A wildcard keeps its dot: "*.example.com" becomes the suffix ".example.com".
      if (byteAt(host, 0) == 0x2a) host = slice(host, 1, lengthOf(host));
      host = tables.texts.keep(host);
    }
    for (let p = 0; p < paths.length; p++) {
      if (tables.mounts.rows.count == MAX_MOUNTS)
        return reader.fail(literal("at most %d pairs of host and path in all"), MAX_MOUNTS);
      tables.mounts.add(host, tables.texts.keep(paths[p]), api);
    }
  }
}

/** `{"origins": ["https://app.example.com", "https://*.example.com"], "headers": ["x-api-key"], …}`; returns its index. */
function decodeCors(reader: Reader, tables: Tables): i32 {
  const index = tables.cors.count;
  const cors = tables.cors.add();
  cors.maxAgeSeconds = NONE;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.ORIGINS, 0)) {
      decodeOrigins(reader, tables, index);
    } else if (reader.takes(Field.METHODS, 1)) {
      cors.firstMethod = tables.values.count;
      cors.methodCount = decodeNames(reader, tables, false);
    } else if (reader.takes(Field.HEADERS, 2)) {
      cors.firstHeader = tables.values.count;
      cors.headerCount = decodeNames(reader, tables, true);
    } else if (reader.takes(Field.EXPOSED_HEADERS, 3)) {
      cors.firstExposed = tables.values.count;
      cors.exposedCount = decodeNames(reader, tables, true);
    } else if (reader.takes(Field.CREDENTIALS, 4)) {
      cors.credentials = reader.boolean();
    } else if (reader.takes(Field.MAX_AGE_SECONDS, 5)) {
      cors.maxAgeSeconds = <i32>reader.integer(0, MAX_CORS_AGE_SECONDS);
    } else reader.unknownField();
  }
  reader.needs(0, Field.ORIGINS);
  if (reader.failed) return index;
  if (cors.credentials && tables.origins.at(cors.firstOrigin).isAny)
    reader.fail(literal("credentials: must be false where any origin is allowed"));
  return index;
}

function decodeOrigins(reader: Reader, tables: Tables, cors: i32): void {
  const record = tables.cors.at(cors);
  record.firstOrigin = tables.origins.count;
  let any: bool = false;
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    if (i == MAX_ORIGINS) reader.fail(literal("at most %d origins"), MAX_ORIGINS);
    if (any) reader.fail(literal("must be the only origin where any is allowed"));
    decodeOrigin(reader, tables, cors);
    any = any || (!reader.failed && tables.origins.at(tables.origins.count - 1).isAny);
    if (any && i > 0) reader.fail(literal("must be the only origin where any is allowed"));
  }
  record.originCount = tables.origins.count - record.firstOrigin;
  if (record.originCount == 0) reader.fail(literal("needs an origin"));
}

function decodeNames(reader: Reader, tables: Tables, areHeaders: bool): i32 {
  let count = 0;
  reader.beginArray();
  while (reader.nextItem(count)) {
    if (count == MAX_CORS_NAMES) reader.fail(literal("at most %d names"), MAX_CORS_NAMES);
    tables.values.add().value = tables.texts.keep(areHeaders ? readHeaderName(reader) : readToken(reader));
    count++;
  }
  return count;
}
