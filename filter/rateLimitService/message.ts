import { NONE } from "../bytes/rows";
import { ABSENT, View, byteAt, lengthOf, literal, lowerCase } from "../bytes/view";
import { begin, end, writeByte, writeView } from "../bytes/arena";
import { RateLimitServiceSettings, Tables } from "../tables/tables";
import { Per } from "../tables/quota";
import { Call, Counter, counterOf } from "./call";

/**
 * The request to the rate limit service, in protobuf:
 * https://github.com/envoyproxy/envoy/blob/main/api/envoy/service/ratelimit/v3/rls.proto
 *
 *   RateLimitRequest      1 domain      2 descriptors  3 hits_addend
 *   RateLimitDescriptor   1 entries { 1 key  2 value }
 *   GrpcService           1 envoy_grpc { 1 cluster_name  2 authority }
 *
 * Descriptor entries are ordered from plan, or API and operation, to consumer, so that the service's configuration has to name only
 * plans, operations and quotas.
 */
const LENGTH_DELIMITED: u8 = 2;
const VARINT: u8 = 0;
const PLAN = literal("plan");
/** In its place for a counter of what is only observed: another branch of the service's configuration. */
const OBSERVED = literal("observed");
const QUOTA = literal("quota");
const API = literal("api");
const OPERATION = literal("operation");
const CONSUMER = literal("consumer");

/** The RateLimitRequest for a call; the statuses of the answer come in the order of its counters. */
export function messageOf(tables: Tables, call: Call): View {
  begin(512);
  writeText(1, tables.rateLimitService.domain);
  for (let i = 0; i < call.count; i++) writeDescriptor(tables, counterOf(call, i));
  writeTag(3, VARINT);
  writeVarint(call.units);
  return end();
}

function writeDescriptor(tables: Tables, counter: Counter): void {
  if (counter.operation != NONE) return writeOwnDescriptor(tables, counter);
  const plan = tables.plans.at(counter.plan);
  const quota = tables.quotas.at(plan.firstQuota + counter.quota);
  const api = tables.apis.at(counter.api).name;
  const consumer = tables.consumers.at(counter.consumer).name;
  const first = counter.isObserved ? OBSERVED : PLAN;
  const bytes =
    entryBytes(first, plan.name) +
    entryBytes(QUOTA, quota.name) +
    (quota.per == Per.Api ? entryBytes(API, api) : 0) +
    entryBytes(CONSUMER, consumer);
  writeTag(2, LENGTH_DELIMITED);
  writeVarint(bytes);
  writeEntry(first, plan.name);
  writeEntry(QUOTA, quota.name);
  if (quota.per == Per.Api) writeEntry(API, api);
  writeEntry(CONSUMER, consumer);
}

/** Of an operation's own quota; without a consumer for callers without a key. */
function writeOwnDescriptor(tables: Tables, counter: Counter): void {
  const operation = tables.operations.at(counter.operation);
  const quota = tables.quotas.at(operation.firstQuota + counter.quota).name;
  const api = tables.apis.at(counter.api).name;
  const second = counter.isObserved ? OBSERVED : OPERATION;
  const consumer = counter.consumer == NONE ? ABSENT : tables.consumers.at(counter.consumer).name;
  const bytes =
    entryBytes(API, api) +
    entryBytes(second, operation.name) +
    entryBytes(QUOTA, quota) +
    (consumer == ABSENT ? 0 : entryBytes(CONSUMER, consumer));
  writeTag(2, LENGTH_DELIMITED);
  writeVarint(bytes);
  writeEntry(API, api);
  writeEntry(second, operation.name);
  writeEntry(QUOTA, quota);
  if (consumer != ABSENT) writeEntry(CONSUMER, consumer);
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
