import { ABSENT, View, byteAt, lengthOf, literal, lowerCase, view } from "../bytes/view";
import { begin, end, writeByte, writeView } from "../bytes/arena";
import { UNIT_SECONDS, WINDOWS } from "../config/contract";
import { RateLimitServiceSettings, Tables } from "../tables/tables";
import { Window } from "../tables/quota";
import { Call, Counter, counterOf } from "./call";
import { consumerValue, quotaValueBytes, writeQuotaValue } from "./descriptor";

/**
 * The request to the rate limit service, in protobuf:
 * https://github.com/envoyproxy/envoy/blob/main/api/envoy/service/ratelimit/v3/rls.proto
 *
 *   RateLimitRequest      1 domain      2 descriptors  3 hits_addend
 *   RateLimitDescriptor   1 entries { 1 key  2 value }  3 hits_addend { 1 value }
 *   GrpcService           1 envoy_grpc { 1 cluster_name  2 authority }
 *
 * A counter's descriptor is window, quota and consumer (see `descriptor`), so one configuration of the service fits every policy.
 */
const LENGTH_DELIMITED: u8 = 2;
const VARINT: u8 = 0;
const WINDOW = literal("window");
const QUOTA = literal("quota");
const CONSUMER = literal("consumer");
const DAY: i32 = 86400;
/** Digits of the longest window, in seconds, and its letter. */
const WINDOW_BYTES = 9;
const WINDOW_TEXT: usize = memory.data(WINDOW_BYTES, 1);
/** What a `hits_addend` of 0 takes in a descriptor: its tag, and a UInt64Value without fields. */
const PEEK_BYTES = 2;

/** The RateLimitRequest for a call; the statuses of the answer come in the order of its counters. */
export function messageOf(tables: Tables, call: Call): View {
  begin(512);
  writeText(1, tables.rateLimitService.domain);
  for (let i = 0; i < call.count; i++) writeDescriptor(tables, counterOf(call, i), call.units == 0);
  // Of the whole call, 0 would count as 1.
  if (call.units > 0) {
    writeTag(3, VARINT);
    writeVarint(call.units);
  }
  return end();
}

function writeDescriptor(tables: Tables, counter: Counter, isPeek: bool): void {
  const window = windowText(counter.window);
  const consumer = consumerValue(tables, counter);
  const bytes = quotaValueBytes(tables, counter);
  const quota = fieldBytes(bytes);
  writeTag(2, LENGTH_DELIMITED);
  writeVarint(
    entryBytes(WINDOW, window) +
      fieldBytes(textBytes(QUOTA) + quota) +
      (consumer == ABSENT ? 0 : entryBytes(CONSUMER, consumer)) +
      (isPeek ? PEEK_BYTES : 0),
  );
  writeEntry(WINDOW, window);
  writeTag(1, LENGTH_DELIMITED);
  writeVarint(textBytes(QUOTA) + quota);
  writeText(1, QUOTA);
  writeTag(2, LENGTH_DELIMITED);
  writeVarint(bytes);
  writeQuotaValue(tables, counter);
  if (consumer != ABSENT) writeEntry(CONSUMER, consumer);
  if (isPeek) {
    writeTag(3, LENGTH_DELIMITED);
    writeVarint(0);
  }
}

/** `second`, `minute`, `hour`, `day`, `month`; other lengths in days or seconds. Valid until the next. */
function windowText(window: Window): View {
  const unitCount = UNIT_SECONDS.length;
  if (window < 0) return WINDOWS[unitCount - 1 - window];
  for (let i = 0; i < unitCount; i++) if (UNIT_SECONDS[i] == window) return WINDOWS[i];
  const isDays = window % DAY == 0;
  let at = WINDOW_BYTES - 1;
  store<u8>(WINDOW_TEXT + at, isDays ? 0x64 : 0x73);
  for (let rest = isDays ? window / DAY : window; rest > 0; rest /= 10)
    store<u8>(WINDOW_TEXT + --at, 0x30 + <u8>(rest % 10));
  return view(WINDOW_TEXT + at, WINDOW_BYTES - at);
}

/** The GrpcService that names the cluster. A bare name would mostly do, but some names happen to parse as protobuf. */
export function grpcService(rateLimitService: RateLimitServiceSettings): View {
  const authority = authorityOf(rateLimitService.cluster);
  begin(64);
  writeText(1, rateLimitService.cluster);
  writeText(2, authority);
  const inner = end();
  begin(64);
  writeText(1, inner);
  return end();
}

/**
 * The host in Istio's `outbound|PORT|SUBSET|HOST`; of any other name, the name itself with `-` in place of characters that a host
 * cannot have. By default Envoy would send the cluster's name as the authority, and HTTP/2 servers, such as a sidecar in front of
 * the service, refuse one that contains `|` or `/`.
 */
function authorityOf(cluster: View): View {
  let from = 0;
  for (let index = 0; index < lengthOf(cluster); index++) if (byteAt(cluster, index) == 0x7c) from = index + 1;
  begin(64);
  for (let index = from; index < lengthOf(cluster); index++) {
    const byte = byteAt(cluster, index);
    writeByte(isHostByte(byte) ? byte : 0x2d);
  }
  return end();
}

/** Letters, digits, `.`, `-`, `_` and `:`. */
function isHostByte(byte: u8): bool {
  const lower = lowerCase(byte);
  return (
    (lower >= 0x61 && lower <= 0x7a) || (byte >= 0x30 && byte <= 0x3a) || byte == 0x2e || byte == 0x2d || byte == 0x5f
  );
}

function writeEntry(key: View, value: View): void {
  writeTag(1, LENGTH_DELIMITED);
  writeVarint(textBytes(key) + textBytes(value));
  writeText(1, key);
  writeText(2, value);
}

function writeText(field: u8, text: View): void {
  writeTag(field, LENGTH_DELIMITED);
  writeVarint(lengthOf(text));
  writeView(text);
}

/** Bytes of an entry: tag, length, key and value. */
function entryBytes(key: View, value: View): i32 {
  return fieldBytes(textBytes(key) + textBytes(value));
}

function textBytes(text: View): i32 {
  return fieldBytes(lengthOf(text));
}

/** Bytes of a field whose content has `bytes` bytes: tag, length, content. Names are bounded, so the length takes at most two. */
function fieldBytes(bytes: i32): i32 {
  return 1 + (bytes < 128 ? 1 : 2) + bytes;
}

function writeTag(field: u8, wireType: u8): void {
  writeByte((field << 3) | wireType);
}

function writeVarint(value: i64): void {
  let rest = <u64>value;
  while (rest >= 128) {
    writeByte(<u8>((rest & 127) | 128));
    rest >>= 7;
  }
  writeByte(<u8>rest);
}
