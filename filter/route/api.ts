import { View, endsWith, equals, lengthOf } from "../bytes/view";
import { coveredLength } from "../request/path";
import * as Request from "../request/request";
import { HostKind, Mount, NONE } from "../tables/record";
import { Tables } from "../tables/tables";

/** Bytes of the path that the matched API's prefix covers. */
export let coveredBytes: i32 = 0;

/** The API at the request's host and path, or NONE. Mounts stand most specific first. */
export function matchApi(tables: Tables): i32 {
  for (let i = 0; i < tables.mounts.count; i++) {
    const mount = tables.mounts.at(i);
    if (!coversHost(mount, Request.host)) continue;
    const covered = coveredLength(Request.path, mount.path);
    if (covered < 0) continue;
    coveredBytes = covered;
    return mount.api;
  }
  return NONE;
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
    case HostKind.Exact: return equals(mount.host, host);
    case HostKind.Wildcard: return lengthOf(host) > lengthOf(mount.host) && endsWith(host, mount.host);
    default: return true;
  }
}
