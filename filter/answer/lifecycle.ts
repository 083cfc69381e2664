import { begin, end, writeByte, writeNumber, writeView } from "../bytes/arena";
import { ABSENT, View, byteAt, lengthOf, literal, slice } from "../bytes/view";
import { findKey } from "../credential/key";
import { strippedQuery } from "../credential/strip";
import { Reason, decision, detailOf, statusOf } from "../decision/decision";
import { answering } from "../lifecycle/lifecycle";
import { forwardedLength } from "../request/request";
import { Lifecycle } from "../tables/lifecycle";
import { Tables } from "../tables/tables";
import { addPair } from "./pairs";
import { beginProblem, endDetail, endProblem, writeEscaped } from "./problem";
import * as Request from "../request/request";

export const RETRY_AFTER = literal("retry-after");
export const DEPRECATION = literal("deprecation");
export const SUNSET = literal("sunset");
export const LINK = literal("link");
const LOCATION = literal("location");

/** The status with which a lifecycle answers. */
export function lifecycleStatus(tables: Tables): u32 {
  const lifecycle = tables.lifecycles.at(answering);
  if (decision.reason == Reason.Redirected) return lifecycle.redirectStatus;
  return decision.reason == Reason.Mocked ? lifecycle.mockStatus : statusOf(decision.reason);
}

/** What it answers: the mock's body or a problem, and for gRPC the detail. */
export function lifecycleBody(tables: Tables, grpc: bool): View {
  const reason = decision.reason;
  const lifecycle = tables.lifecycles.at(answering);
  if (grpc) return detail(lifecycle);
  if (reason == Reason.Mocked) return lifecycle.mockBody;
  beginProblem(reason, lifecycleStatus(tables));
  writeEscaped(detail(lifecycle));
  endDetail(reason);
  return endProblem();
}

/** The policy's own words, or the reason's. */
function detail(lifecycle: Lifecycle): View {
  const own =
    decision.reason == Reason.Retired
      ? lifecycle.retiredDetail
      : decision.reason == Reason.Maintenance
        ? lifecycle.maintenanceDetail
        : ABSENT;
  return own == ABSENT ? detailOf(decision.reason) : own;
}

/** Adds the headers of RFC 9745 and RFC 8594. */
export function addDeprecation(tables: Tables): void {
  const lifecycle = tables.lifecycles.at(decision.deprecated);
  addPair(DEPRECATION, lifecycle.deprecation);
  if (lifecycle.sunset != ABSENT) addPair(SUNSET, lifecycle.sunset);
  if (lifecycle.link != ABSENT) addPair(LINK, lifecycle.link);
}

/** Adds the headers with which a lifecycle answers. */
export function addLifecycle(tables: Tables, grpc: bool): void {
  const lifecycle = tables.lifecycles.at(answering);
  switch (decision.reason) {
    case Reason.Retired:
      if (lifecycle.retiredLink != ABSENT) addPair(LINK, lifecycle.retiredLink);
      return;
    case Reason.Maintenance:
      if (decision.retryAfterSeconds == 0) return;
      begin(20);
      writeNumber(decision.retryAfterSeconds);
      return addPair(RETRY_AFTER, end());
    case Reason.Redirected:
      return addPair(LOCATION, location(tables, lifecycle.redirectTo));
  }
  if (grpc) return;
  for (let i = lifecycle.firstMockHeader; i < lifecycle.firstMockHeader + lifecycle.mockHeaderCount; i++)
    addPair(tables.headers.at(i).name, tables.headers.at(i).value);
}

const SLASH: u8 = 0x2f;

/**
 * Where a redirect leads: the policy's path or URL, then what followed the prefix that it replaces, in the caller's spelling, and the query
 * without the key. The policy's part names the host, or begins with one slash; the caller's is empty or begins with one slash, and that
 * only after the host.
 */
function location(tables: Tables, to: View): View {
  // The life of an API is looked at before any key.
  findKey(tables.apis.at(decision.api));
  const query = strippedQuery();
  const from = forwardedLength(decision.coveredBytes);
  const rest = slice(Request.forwardedPath, from, lengthOf(Request.forwardedPath));
  begin(lengthOf(to) + lengthOf(Request.target) + 16);
  if (lengthOf(rest) == 0) writeView(to);
  else {
    const last = lengthOf(to) - 1;
    writeView(byteAt(to, last) == SLASH ? slice(to, 0, last) : to);
    if (byteAt(rest, 0) != SLASH) writeByte(SLASH);
    writeUri(rest);
  }
  writeUri(query);
  return end();
}

/** One bit for each character below 64 and above that a URI does not hold as it is: controls, space, `"`, `#`, `<`, `>`; `\`, `^`, backtick, braces, `|`, DEL. */
const LOW: u64 = 0x5000000d_ffffffff;
const HIGH: u64 = 0xb8000001_50000000;
const HEX = literal("0123456789ABCDEF");

/** Part of a URI as a caller wrote it, with escapes for the bytes that some clients read as something else. */
function writeUri(part: View): void {
  for (let i = 0, n = lengthOf(part); i < n; i++) {
    const byte = byteAt(part, i);
    if (byte < 0x80 && (((byte < 64 ? LOW : HIGH) >> (byte & 63)) & 1) == 0) {
      writeByte(byte);
    } else {
      writeByte(0x25);
      writeByte(byteAt(HEX, byte >> 4));
      writeByte(byteAt(HEX, byte & 15));
    }
  }
}
