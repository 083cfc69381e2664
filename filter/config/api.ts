import { begin, end, writeByte, writeView } from "../bytes/arena";
import { ABSENT, View, byteAt, equals, lengthOf, literal, slice, startsWith } from "../bytes/view";
import { name as hostName, readHost } from "../request/host";
import { API_ID, counterId } from "../tables/counterId";
import { Tables } from "../tables/tables";
import { Names } from "./names";
import { Reader } from "./reader";
import { decodeRoute } from "./route";
import { readAllow, readName, readPrefix } from "./rule";
import { DEFAULT_ROUTE, MAX_HOST_BYTES, MAX_MOUNTS } from "./contract";
import * as Field from "./field";

const WILDCARD = literal("*.");

export function decodeApi(reader: Reader, tables: Tables, names: Names): void {
  const index = tables.apis.count;
  tables.apis.add();
  const hosts: View[] = [];
  const paths: View[] = [];
  let name: View = ABSENT;
  const firstRoute = tables.routes.count;
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
    } else if (reader.takes(Field.PREFLIGHT, 5)) {
      tables.apis.at(index).preflight = readAllow(reader);
    } else if (reader.takes(Field.ROUTES, 6)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) decodeRoute(reader, tables, firstRoute);
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
  reader.needs(1, Field.PATHS);
  if (reader.failed) return;
  if (paths.length == 0) reader.fail(literal("needs a path"));

  const api = tables.apis.at(index);
  api.name = tables.texts.keep(name);
  api.id = counterId(API_ID, 0, name);
  api.firstRoute = firstRoute;
  api.routeCount = tables.routes.count - firstRoute;
  api.defaultRoute = qualify(tables, name, DEFAULT_ROUTE);
  for (let i = firstRoute; i < tables.routes.count; i++) {
    const route = tables.routes.at(i);
    route.name = qualify(tables, name, route.name);
  }
  addMounts(reader, tables, index, hosts, paths);
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
