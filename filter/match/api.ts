import { NONE } from "../bytes/rows";
import { View, endsWith, equals, lengthOf } from "../bytes/view";
import { HostKind, Mount } from "../tables/record";
import { Tables } from "../tables/tables";
import { Cover, cover, coveredLength } from "./cover";
import * as Request from "../request/request";

/** Bytes of the judged path that the matched API's prefix covers. */
export let coveredBytes: i32 = 0;
/** True when some API names the host, or any host. */
export let hostIsServed: bool = false;
/** True when a more generous reader of the path would find another API, or one where we find none. */
export let isDoubtful: bool = false;

/** The API at the request's host and path, or NONE. Mounts stand most specific first. */
export function matchApi(tables: Tables): i32 {
  hostIsServed = false;
  isDoubtful = false;
  for (let i = 0; i < tables.mounts.count; i++) {
    const mount = tables.mounts.at(i);
    if (!coversHost(mount, Request.host)) continue;
    hostIsServed = true;
    const found = cover(Request.path, mount.path);
    if (found == Cover.None) continue;
    if (found != Cover.Exact) {
      noteLoose(mount.api);
      continue;
    }
    coveredBytes = coveredLength;
    // A prefix as long in other case is another API by its author's will.
    if (isDoubtful && (looseApi == mount.api || looseLength <= coveredLength)) isDoubtful = false;
    return mount.api;
  }
  return NONE;
}

/** What a more generous reader would have found so far: the API, NONE when it is several, and the longest prefix. */
let looseApi: i32 = NONE;
let looseLength: i32 = 0;

function noteLoose(api: i32): void {
  looseApi = isDoubtful && looseApi != api ? NONE : api;
  looseLength = isDoubtful ? max(looseLength, coveredLength) : coveredLength;
  isDoubtful = true;
}

/** True when some API names the request's host, or any host. */
export function servesHost(tables: Tables): bool {
  for (let i = 0; i < tables.mounts.count; i++) {
    if (coversHost(tables.mounts.at(i), Request.host)) return true;
  }
  return false;
}

function coversHost(mount: Mount, host: View): bool {
  switch (mount.hostKind) {
    case HostKind.Exact:
      return equals(mount.host, host);
    case HostKind.Wildcard:
      return lengthOf(host) > lengthOf(mount.host) && endsWith(host, mount.host);
    default:
      return true;
  }
}
