import { NONE } from "../bytes/rows";
import { View, byteAt, equals, lengthOf, literal, slice, startsWith } from "../bytes/view";
import { CREDENTIAL_BITS } from "../tables/alias";
import { Tables } from "../tables/tables";
import { CREDENTIALS, MAX_NAME_BYTES, MAX_WORKLOAD_BYTES } from "./contract";
import { LISTENER, RBAC } from "./field";
import { Reader } from "./reader";

const SCHEME = literal("spiffe://");
const SLASH: u8 = 0x2f;

/** `["workload", "key"]`, the first that counts in the lowest bits. */
export function decodeCredentials(reader: Reader): u32 {
  let list: u32 = 0;
  let seen: u32 = 0;
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    const credential = readCredential(reader);
    if ((seen >> credential) & 1) reader.fail(literal("credential given twice"));
    seen |= 1 << credential;
    if (!reader.failed) list |= (credential + 1) << (<u32>i * CREDENTIAL_BITS);
  }
  if (seen == 0) reader.fail(literal("needs a credential"));
  return list;
}

function readCredential(reader: Reader): u32 {
  const word = reader.text(1, MAX_NAME_BYTES);
  for (let i = 0; i < CREDENTIALS.length; i++) {
    if (equals(word, CREDENTIALS[i])) return i;
  }
  reader.fail(literal("must be a credential"));
  return 0;
}

/** True for `listener`. */
export function readWorkloadProof(reader: Reader): bool {
  const word = reader.text(1, MAX_NAME_BYTES);
  if (equals(word, LISTENER)) return true;
  if (!equals(word, RBAC)) reader.fail(literal('must be "rbac" or "listener"'));
  return false;
}

/** `["spiffe://cluster.local/ns/shop/sa/cart"]` */
export function decodeWorkloads(reader: Reader, tables: Tables, consumer: i32): void {
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    const alias = tables.workloads.rows.add();
    alias.consumer = consumer;
    alias.nameText = tables.texts.keepName(readWorkload(reader));
  }
}

/** By the rules of SPIFFE: a trust domain in lower case, and a path of segments without dots alone. */
function readWorkload(reader: Reader): View {
  const id = reader.text(1, MAX_WORKLOAD_BYTES);
  if (!reader.failed && !isSpiffe(id))
    reader.fail(literal("must be a SPIFFE id: spiffe://, a trust domain, and a path of letters, digits and -._"));
  return id;
}

function isSpiffe(id: View): bool {
  const length = lengthOf(id);
  if (!startsWith(id, SCHEME)) return false;
  let segments = 0;
  let start = lengthOf(SCHEME);
  for (let i = start; i <= length; i++) {
    if (i < length && byteAt(id, i) != SLASH) {
      if (!isSpiffeByte(byteAt(id, i), segments > 0)) return false;
      continue;
    }
    if (i == start || (segments > 0 && isDots(slice(id, start, i)))) return false;
    segments++;
    start = i + 1;
  }
  return segments > 1;
}

function isSpiffeByte(byte: u8, isPath: bool): bool {
  if (byte - 0x61 < 26 || byte - 0x30 < 10) return true;
  if (byte == 0x2d || byte == 0x2e || byte == 0x5f) return true;
  return isPath && byte - 0x41 < 26;
}

function isDots(segment: View): bool {
  const length = lengthOf(segment);
  return length <= 2 && byteAt(segment, 0) == 0x2e && byteAt(segment, length - 1) == 0x2e;
}

/** Refuses two consumers of one workload; to be called once all are read. */
export function linkWorkloads(reader: Reader, tables: Tables): void {
  const number = tables.workloads.build();
  if (number == NONE) return;
  const rows = tables.workloads.rows;
  reader.fail(
    literal("workload %q of consumer %q is one of consumer %q already"),
    rows.at(number).name,
    tables.consumers.at(rows.at(number).consumer).name,
    tables.consumers.at(rows.at(tables.workloads.twin).consumer).name,
  );
}
