import { View, byteAt, lengthOf, literal, slice, startsWith } from "../bytes/view";
import { Lifecycle } from "../tables/lifecycle";
import { Tables } from "../tables/tables";
import { Reader } from "./reader";
import { isPrefix, readChangeable, readDetail, readHeaderValue, readShownValue } from "./rule";
import {
  MAX_EXACT,
  MAX_LOCATION_BYTES,
  MAX_MOCK_BYTES,
  MAX_MOCK_HEADERS,
  MOCK_STATUS,
  REDIRECT_STATUS,
} from "./contract";
import * as Field from "./field";

/** Numbers of these fields within an object; those before are its own. */
const FIRST_FIELD: u32 = 27;

/** True when the current field is one of a lifecycle. */
export function isLifecycle(reader: Reader): bool {
  return (
    reader.takes(Field.DEPRECATED, FIRST_FIELD) ||
    reader.takes(Field.RETIRED, FIRST_FIELD + 1) ||
    reader.takes(Field.MAINTENANCE, FIRST_FIELD + 2) ||
    reader.takes(Field.REDIRECT, FIRST_FIELD + 3) ||
    reader.takes(Field.MOCK, FIRST_FIELD + 4)
  );
}

/** Reads the current field into a lifecycle: that with this number, or a new one for `NO_LIFECYCLE`. Returns its number. */
export function decodeLifecycle(reader: Reader, tables: Tables, number: i32): i32 {
  const own = tables.lifecycles.own(number);
  const lifecycle = tables.lifecycles.at(own);
  if (reader.is(Field.DEPRECATED)) decodeDeprecated(reader, tables, lifecycle);
  else if (reader.is(Field.RETIRED)) decodeRetired(reader, tables, lifecycle);
  else if (reader.is(Field.MAINTENANCE)) decodeMaintenance(reader, tables, lifecycle);
  else if (reader.is(Field.REDIRECT)) decodeRedirect(reader, tables, lifecycle);
  else decodeMock(reader, tables, lifecycle);
  return own;
}

function decodeDeprecated(reader: Reader, tables: Tables, lifecycle: Lifecycle): void {
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.DEPRECATION, 0)) lifecycle.deprecation = tables.texts.keep(readShownValue(reader));
    else if (reader.takes(Field.SUNSET, 1)) lifecycle.sunset = tables.texts.keep(readShownValue(reader));
    else if (reader.takes(Field.LINK, 2)) lifecycle.link = tables.texts.keep(readShownValue(reader));
    else reader.unknownField();
  }
  reader.needs(0, Field.DEPRECATION);
}

function decodeRetired(reader: Reader, tables: Tables, lifecycle: Lifecycle): void {
  lifecycle.retiredFrom = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.FROM, 0)) lifecycle.retiredFrom = reader.integer(0, MAX_EXACT);
    else if (reader.takes(Field.LINK, 1)) lifecycle.retiredLink = tables.texts.keep(readShownValue(reader));
    else if (reader.takes(Field.DETAIL, 2)) lifecycle.retiredDetail = tables.texts.keep(readDetail(reader));
    else reader.unknownField();
  }
}

function decodeMaintenance(reader: Reader, tables: Tables, lifecycle: Lifecycle): void {
  lifecycle.maintenanceFrom = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.FROM, 0)) lifecycle.maintenanceFrom = reader.integer(0, MAX_EXACT);
    else if (reader.takes(Field.UNTIL, 1)) lifecycle.maintenanceUntil = reader.integer(0, MAX_EXACT);
    else if (reader.takes(Field.DETAIL, 2)) lifecycle.maintenanceDetail = tables.texts.keep(readDetail(reader));
    else reader.unknownField();
  }
}

function decodeRedirect(reader: Reader, tables: Tables, lifecycle: Lifecycle): void {
  lifecycle.redirectStatus = REDIRECT_STATUS;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.STATUS, 0)) lifecycle.redirectStatus = readRedirectStatus(reader);
    else if (reader.takes(Field.TO, 1)) lifecycle.redirectTo = tables.texts.keep(readLocation(reader));
    else reader.unknownField();
  }
  reader.needs(1, Field.TO);
}

function decodeMock(reader: Reader, tables: Tables, lifecycle: Lifecycle): void {
  lifecycle.mockStatus = MOCK_STATUS;
  lifecycle.firstMockHeader = tables.headers.count;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.STATUS, 0)) lifecycle.mockStatus = <i32>reader.integer(200, 599);
    else if (reader.takes(Field.BODY, 1)) lifecycle.mockBody = tables.texts.keep(reader.text(0, MAX_MOCK_BYTES));
    else if (reader.takes(Field.HEADERS, 2)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) {
        if (i == MAX_MOCK_HEADERS) reader.fail(literal("at most %d headers"), MAX_MOCK_HEADERS);
        decodeHeader(reader, tables);
      }
    } else reader.unknownField();
  }
  lifecycle.mockHeaderCount = tables.headers.count - lifecycle.firstMockHeader;
}

/** A header and its value: what a route sets, or a mock answers. */
export function decodeHeader(reader: Reader, tables: Tables): void {
  const header = tables.headers.add();
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.NAME, 0)) {
      header.name = tables.texts.keep(readChangeable(reader));
    } else if (reader.takes(Field.VALUE, 1)) {
      header.value = tables.texts.keep(readHeaderValue(reader));
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
  reader.needs(1, Field.VALUE);
}

function readRedirectStatus(reader: Reader): i32 {
  const status = <i32>reader.integer(301, 308);
  if (status > 302 && status < 307) reader.fail(literal("must be 301, 302, 307 or 308"));
  return status;
}

const HTTP = literal("http://");
const HTTPS = literal("https://");

/**
 * A path, or a URL with a path: what a caller asked for follows it in a Location, and must not be able to name another host. So a path
 * begins with one slash, and a host ends with one.
 */
function readLocation(reader: Reader): View {
  const location = reader.text(1, MAX_LOCATION_BYTES);
  if (reader.failed) return location;
  const hostAt = startsWith(location, HTTPS) ? lengthOf(HTTPS) : startsWith(location, HTTP) ? lengthOf(HTTP) : 0;
  const pathAt = hostAt == 0 ? 0 : endOfHost(location, hostAt);
  if ((hostAt > 0 && pathAt == hostAt) || !isPrefix(slice(location, pathAt, lengthOf(location)))) {
    reader.fail(
      literal(
        "must be a path, or http:// or https://, a host in lower case and a path; without '//', query and fragment",
      ),
    );
  }
  return location;
}

/** Where the path begins after a host with or without a port. */
function endOfHost(location: View, from: i32): i32 {
  let at = from;
  while (at < lengthOf(location) && isHostByte(byteAt(location, at))) at++;
  return at;
}

/** Of a name, an address in brackets or not, and a port. */
function isHostByte(byte: u8): bool {
  if (byte - 0x61 < 26 || byte - 0x30 < 11) return true;
  return byte == 0x2d || byte == 0x2e || byte == 0x5f || byte == 0x5b || byte == 0x5d;
}
