import { View, equals, lengthOf, literal } from "../bytes/view";
import { EMPTY_SEGMENTS, ESCAPED_SLASHES } from "../request/pathData";
import { Api } from "../tables/api";
import { Tables } from "../tables/tables";
import { MAX_NAME_BYTES, PATH_DATA } from "./contract";
import { Reader } from "./reader";

/** `["escaped-slashes", "empty-segments"]`: a bit for each. */
export function decodePathData(reader: Reader, tables: Tables): u32 {
  let data: u32 = 0;
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    const bit = (<u32>1) << readWord(reader);
    if ((data & bit) != 0) reader.fail(literal("given twice"));
    data |= bit;
  }
  if (data == 0) reader.fail(literal("must say what is data; leave the field out for nothing"));
  if ((data & ESCAPED_SLASHES) != 0) tables.hasEscapedSlashes = true;
  return data;
}

function readWord(reader: Reader): u32 {
  const word = reader.text(1, MAX_NAME_BYTES);
  for (let i = 0; i < PATH_DATA.length; i++) {
    if (equals(word, PATH_DATA[i])) return i;
  }
  reader.fail(literal('must be "escaped-slashes" or "empty-segments"'));
  return 0;
}

/** Refuses what could make a path, or where a redirect leads, begin with two slashes, behind which a host is read. */
export function checkPathData(reader: Reader, tables: Tables, api: Api): void {
  if ((api.pathData & EMPTY_SEGMENTS) == 0) return;
  checkRedirect(reader, tables, api, api.lifecycle);
  for (let i = api.firstOperation; i < api.firstOperation + api.operationCount; i++)
    checkRedirect(reader, tables, api, tables.operations.at(i).lifecycle);
  for (let i = api.firstRoute; i < api.firstRoute + api.routeCount; i++) {
    const route = tables.routes.at(i);
    if (isRoot(route.rewritePrefix))
      reader.fail(literal("API %q: rewritePrefix must not be '/' where empty segments are data"), api.name);
    checkRedirect(reader, tables, api, route.lifecycle);
  }
}

function checkRedirect(reader: Reader, tables: Tables, api: Api, lifecycle: i32): void {
  if (isRoot(tables.lifecycles.at(lifecycle).redirectTo))
    reader.fail(literal("API %q: a redirect must not lead to '/' where empty segments are data"), api.name);
}

function isRoot(path: View): bool {
  return lengthOf(path) == 1;
}
