import { NONE } from "../bytes/rows";
import { ABSENT } from "../bytes/view";
import { coveredBytes, isAmbiguous, matchApi } from "../match/api";
import { isAmbiguous as isOtherOperation, matchTemplate } from "../operation/match";
import { EMPTY_SEGMENTS, ESCAPED_SLASHES, hasEmptySegment, mergedPath, readPathData } from "../request/pathData";
import { Tables } from "../tables/tables";
import { Reason, decision } from "./decision";
import * as Request from "../request/request";

/*
 * What is data in a path is known once its API is. So the API must be the same, and lie under the same path, for whoever takes the data for
 * slashes, and for whoever merges them. Below that path, `%2F` is whatever the upstream takes it for; empty segments must not make another
 * operation of a request, because many servers merge slashes without being asked.
 */

/** Reads again a path that nobody else takes: true when it is one of an API in which escaped slashes are data. */
export function readEscapedSlashes(tables: Tables): bool {
  if (readPathData(Request.rawPath, ESCAPED_SLASHES)) {
    const number = matchApi(tables.mounts, Request.host, Request.path);
    const data = number == NONE || isAmbiguous ? 0 : tables.apis.at(number).pathData;
    if ((data & ESCAPED_SLASHES) != 0 && readPathData(Request.rawPath, data) && leadsTo(tables, number)) return true;
  }
  Request.readPathAs(ABSENT, ABSENT);
  return false;
}

/** Reads the path of the decision's API again, in which empty segments are data. */
export function readEmptySegments(tables: Tables): Reason {
  // One with escaped slashes has been read so already.
  if (!hasEmptySegment(Request.rawPath) || hasEmptySegment(Request.path)) return Reason.Allowed;
  if (readPathData(Request.rawPath, EMPTY_SEGMENTS) && leadsTo(tables, decision.api)) {
    decision.coveredBytes = <u16>coveredBytes;
    return Reason.Allowed;
  }
  decision.api = NONE;
  return Reason.InvalidPath;
}

/** True when every server finds the API `number` in the path that has just been read, under the same path of its own. */
function leadsTo(tables: Tables, number: i32): bool {
  const merged = mergedPath(Request.path, true);
  if (matchApi(tables.mounts, Request.host, merged) != number || isAmbiguous) return false;
  const covered = coveredBytes;
  if (matchApi(tables.mounts, Request.host, Request.path) != number || isAmbiguous) return false;
  return coveredBytes == covered && leadsToOneOperation(tables, number);
}

function leadsToOneOperation(tables: Tables, number: i32): bool {
  const api = tables.apis.at(number);
  if (api.operationCount == 0 || !hasEmptySegment(Request.path)) return true;
  let found = NONE;
  for (let merges = 1; merges >= 0; merges--) {
    const path = merges > 0 ? mergedPath(Request.path, false) : Request.path;
    const node = matchTemplate(tables.operationTree, api.operationRoot, path, coveredBytes);
    if (isOtherOperation || (merges == 0 && node != found)) return false;
    found = node;
  }
  return true;
}
