import { allocate } from "../bytes/arena";
import { NONE } from "../bytes/rows";
import { View, lengthOf, literal, pointerOf, view } from "../bytes/view";
import { LOG_FIELDS } from "../config/contract";
import { codeOf, decision } from "../decision/decision";
import { UNKNOWN, standingAt } from "../quota/attempt";
import { LogField, Tables } from "../tables/tables";
import * as Request from "../request/request";

/**
 * The decision as a google.protobuf.Struct, of which access logs can show single fields:
 *
 *   Struct { 1 fields: { 1 key  2 value } … }    Value { 2 number_value: double  3 string_value }
 *
 * Values are names of the policy, codes, and a host that has passed for one: printable ASCII without spaces, quotes and backslashes.
 */
const MAX_VALUE_BYTES = 255;
/** Tags, lengths and key around a value. */
const MAX_AROUND_BYTES = 32;

/** Where the next byte goes. */
let to: usize = 0;

/** The fields of the decision that the policy wants in access logs. */
export function logFields(tables: Tables): View {
  const start = allocate(LOG_FIELDS.length * (MAX_VALUE_BYTES + MAX_AROUND_BYTES));
  to = start;
  const wanted = tables.logFields;
  if (wants(wanted, LogField.Reason)) writeString(LogField.Reason, codeOf(decision.reason));
  if (wants(wanted, LogField.Api) && decision.api != NONE) writeString(LogField.Api, tables.apis.at(decision.api).name);
  if (wants(wanted, LogField.Route)) writeString(LogField.Route, decision.route);
  if (wants(wanted, LogField.Consumer) && decision.consumer != NONE)
    writeString(LogField.Consumer, tables.consumers.at(decision.consumer).name);
  if (wants(wanted, LogField.KeyId)) writeString(LogField.KeyId, decision.keyId);
  if (wants(wanted, LogField.Plan) && decision.plan != NONE)
    writeString(LogField.Plan, tables.plans.at(decision.plan).name);
  if ((wanted & QUOTA_FIELDS) != 0) writeQuota(tables);
  if (wants(wanted, LogField.Host) && Request.hasGoodHost) writeString(LogField.Host, Request.host);
  return view(start, <i32>(to - start));
}

const QUOTA_FIELDS: u32 = (1 << LogField.Quota) | (1 << LogField.Remaining);

// @ts-ignore: decorator
@inline
function wants(wanted: u32, field: LogField): bool {
  return (wanted & (1 << field)) != 0;
}

/** The quota that refused; of a request that none refused, the one of which the smallest part is left. */
function writeQuota(tables: Tables): void {
  const index = decision.quota != NONE ? decision.quota : scarcest(tables);
  if (index == NONE) return;
  const wanted = tables.logFields;
  const quota = tables.quotas.at(tables.plans.at(decision.plan).firstQuota + index);
  if (wants(wanted, LogField.Quota)) writeString(LogField.Quota, quota.name);
  if (!wants(wanted, LogField.Remaining) || !decision.hasStandings) return;
  const remaining = standingAt(index).remaining;
  if (remaining != UNKNOWN) writeNumber(LogField.Remaining, <f64>remaining);
}

/** The index of a quota within the plan, or NONE where none was looked at. */
function scarcest(tables: Tables): i32 {
  if (!decision.hasStandings) return NONE;
  let found = NONE;
  let least: f64 = Infinity;
  for (let i = 0, n = tables.plans.at(decision.plan).quotaCount; i < n; i++) {
    const standing = standingAt(i);
    if (standing.remaining == UNKNOWN) continue;
    const part = <f64>standing.remaining / <f64>standing.limit;
    if (part >= least) continue;
    least = part;
    found = i;
  }
  return found;
}

const FIELDS_TAG: u8 = 0x0a;
const KEY_TAG: u8 = 0x0a;
const VALUE_TAG: u8 = 0x12;
const NUMBER_TAG: u8 = 0x11;
const STRING_TAG: u8 = 0x1a;
const NUMBER_BYTES = 8;

function writeString(field: LogField, value: View): void {
  // No value is longer: names end at 127 bytes, routes are two of them, and hosts end at 253.
  const length = min(lengthOf(value), MAX_VALUE_BYTES);
  if (length == 0) return;
  writeKey(field, 1 + sizeOf(length) + length);
  store<u8>(to++, STRING_TAG);
  writeLength(length);
  memory.copy(to, pointerOf(value), length);
  to += length;
}

function writeNumber(field: LogField, value: f64): void {
  writeKey(field, 1 + NUMBER_BYTES);
  store<u8>(to++, NUMBER_TAG);
  store<f64>(to, value);
  to += NUMBER_BYTES;
}

/** Begins a field whose value has `bytes` bytes. */
function writeKey(field: LogField, bytes: i32): void {
  const name = unchecked(LOG_FIELDS[field]);
  const length = lengthOf(name);
  store<u8>(to++, FIELDS_TAG);
  writeLength(2 + length + 1 + sizeOf(bytes) + bytes);
  store<u8>(to++, KEY_TAG);
  store<u8>(to++, <u8>length);
  memory.copy(to, pointerOf(name), length);
  to += length;
  store<u8>(to++, VALUE_TAG);
  writeLength(bytes);
}

/** Bytes that a length takes: it is below 2^14. */
function sizeOf(length: i32): i32 {
  return length < 128 ? 1 : 2;
}

function writeLength(length: i32): void {
  if (length >= 128) {
    store<u8>(to++, <u8>(length | 128));
    length >>= 7;
  }
  store<u8>(to++, <u8>length);
}

/** The filter state that access logs find the fields in, behind the host's `wasm.`. */
export const FIELDS_STATE = literal("tollgate.fields");

/**
 * Tells the host what kind of filter state that is: envoy.source.extensions.common.wasm.DeclarePropertyArguments
 *
 *   { 1 name  3 type: Protobuf = 3  4 schema }
 */
export const FIELDS_DECLARATION = literal('\n\x0ftollgate.fields\x18\x03"*type.googleapis.com/google.protobuf.Struct');
