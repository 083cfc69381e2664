import { View, byteAt, lengthOf, literal, lowerCase } from "../bytes/view";
import { begin, end, writeByte, writeView } from "../bytes/writer";
import { Api, Consumer, Plan, Quota } from "../tables/record";
import { LedgerSettings } from "../tables/ledgerSettings";

/**
 * What is said to the rate limit service, in protobuf:
 * https://github.com/envoyproxy/envoy/blob/main/api/envoy/service/ratelimit/v3/rls.proto
 *
 *   RateLimitRequest      1 domain      2 descriptors  3 hits_addend
 *   RateLimitDescriptor   1 entries { 1 key  2 value }
 *   GrpcService           1 envoy_grpc { 1 cluster_name  2 authority }
 *
 * The descriptor goes from the plan to the consumer, so that the service's configuration names plans and quotas only.
 */
const LENGTH_DELIMITED: u8 = 2;
const VARINT: u8 = 0;
const PLAN = literal("plan");
const QUOTA = literal("quota");
const API = literal("api");
const CONSUMER = literal("consumer");

/** Asks for `units` of a counter. */
export function rateLimitRequest(ledger: LedgerSettings, plan: Plan, quota: Quota, api: Api, consumer: Consumer, units: i64): View {
  begin(512);
  writeEntry(PLAN, plan.name);
  writeEntry(QUOTA, quota.name);
  if (quota.perApi) writeEntry(API, api.name);
  writeEntry(CONSUMER, consumer.name);
  const descriptor = end();

  begin(512);
  writeText(1, ledger.domain);
  writeText(2, descriptor);
  writeTag(3, VARINT);
  writeVarint(units);
  return end();
}

/** Names the cluster to call. A bare name would do in most cases, but some names are protobuf by accident. */
export function grpcService(ledger: LedgerSettings): View {
  const authority = authorityOf(ledger.cluster);
  begin(64);
  writeText(1, ledger.cluster);
  writeText(2, authority);
  const inner = end();
  begin(64);
  writeText(1, inner);
  return end();
}

/**
 * The host in Istio's `outbound|PORT|SUBSET|HOST`, and any other name as it is. Envoy would send the whole name for want of
 * another authority, and HTTP/2 servers, a sidecar in front of the service among them, refuse one with a `|` or `/` in it.
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
  return (lower >= 0x61 && lower <= 0x7a) || (byte >= 0x30 && byte <= 0x3a) || byte == 0x2e || byte == 0x2d || byte == 0x5f;
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

/** Bytes of a field that holds a text: tag, length, text. */
function textBytes(text: View): i32 {
  return 1 + (lengthOf(text) < 128 ? 1 : 2) + lengthOf(text);
}

function writeTag(field: u8, wireType: u8): void {
  writeByte(field << 3 | wireType);
}

function writeVarint(value: i64): void {
  let rest = <u64>value;
  while (rest >= 128) {
    writeByte(<u8>(rest & 127 | 128));
    rest >>= 7;
  }
  writeByte(<u8>rest);
}
