import { View, equals, literal } from "../bytes/view";
import { METER_ID, counterId, pairId } from "../tables/counterId";
import { FailureMode, Quota, QuotaKind, Tables, WindowKind } from "../tables/tables";
import { NANOSECONDS, ceilDivide, nominalSeconds } from "../time/window";
import { Reader } from "./reader";
import { readName } from "./rule";
import { FAILURE_MODES, MAX_BUCKET_RATE_PER_SECOND, MAX_BURST, MAX_EXACT, MAX_REFILL_DAYS, WINDOWS } from "./contract";
import * as Field from "./field";

const MAX_REFILL_NANOSECONDS: i64 = MAX_REFILL_DAYS * 86400 * NANOSECONDS;
/** Bits of a meter's detail byte, beside the window's number: they keep the counters of the three kinds apart. */
const BUCKET_DETAIL: u8 = 0x80;
const MESH_DETAIL: u8 = 0x40;

export function decodeQuota(reader: Reader, tables: Tables, firstOfPlan: i32): void {
  const index = tables.quotas.count;
  const quota = tables.quotas.add();
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.NAME, 0)) {
      quota.name = tables.texts.keep(readName(reader));
      for (let i = firstOfPlan; i < index; i++) {
        if (equals(tables.quotas.at(i).name, quota.name)) reader.fail(literal("a second quota named %q"), quota.name);
      }
    } else if (reader.takes(Field.LIMIT, 1)) {
      quota.limit = reader.integer(1, MAX_EXACT);
    } else if (reader.takes(Field.WINDOW, 2)) {
      quota.window = <WindowKind>(
        readWord(reader, WINDOWS, literal("must be second, minute, hour, day, week, month, 7d or 30d"))
      );
    } else if (reader.takes(Field.BURST, 3)) {
      quota.burst = reader.integer(1, MAX_BURST);
    } else if (reader.takes(Field.PER, 4)) {
      quota.perApi = readChoice(reader, Field.CONSUMER, Field.API);
    } else if (reader.takes(Field.SCOPE, 5)) {
      if (readChoice(reader, Field.ENVOY, Field.MESH)) quota.kind = QuotaKind.Mesh;
    } else if (reader.takes(Field.ON_UNAVAILABLE, 6)) {
      quota.failureMode = <FailureMode>readWord(reader, FAILURE_MODES, literal("must be deny, allow or local-share"));
    } else if (reader.takes(Field.LOCAL_SHARE, 7)) {
      quota.localShare = reader.integer(1, MAX_EXACT);
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
  reader.needs(1, Field.LIMIT);
  reader.needs(2, Field.WINDOW);
  if (!reader.failed) checkQuota(reader, quota);
}

function checkQuota(reader: Reader, quota: Quota): void {
  if (quota.burst > 0) setBucket(reader, quota);
  if (quota.kind != QuotaKind.Mesh && quota.failureMode != FailureMode.Deny)
    reader.fail(literal("onUnavailable goes with the scope mesh"));
  if ((quota.failureMode == FailureMode.LocalShare) != quota.localShare > 0)
    reader.fail(literal("localShare goes with onUnavailable local-share, and that with it"));
}

function setBucket(reader: Reader, quota: Quota): void {
  const seconds = nominalSeconds(quota.window);
  if (quota.window > WindowKind.Day)
    return reader.fail(literal("burst goes with a window of a second, minute, hour or day"));
  if (quota.limit / seconds > MAX_BUCKET_RATE_PER_SECOND)
    return reader.fail(literal("a bucket fills at most 1000000 times a second"));
  // Rounded up, so that a bucket never fills too fast.
  quota.intervalNanoseconds = ceilDivide(seconds * NANOSECONDS, quota.limit);
  if (quota.burst > MAX_REFILL_NANOSECONDS / quota.intervalNanoseconds)
    reader.fail(literal("a bucket must refill within 366 days"));
  if (quota.kind == QuotaKind.Mesh) reader.fail(literal("a bucket cannot have the scope mesh"));
  quota.kind = QuotaKind.Bucket;
}

/** Sets the quota's meter. The rate limit service counts each plan separately, so a mesh-wide quota's meter includes the plan. */
export function finishQuota(quota: Quota, plan: View): void {
  const detail = <u8>quota.window;
  if (quota.kind == QuotaKind.Mesh) quota.meter = pairId(METER_ID, detail | MESH_DETAIL, plan, quota.name);
  else quota.meter = counterId(METER_ID, detail | (quota.kind == QuotaKind.Bucket ? BUCKET_DETAIL : 0), quota.name);
}

/** The index of the word that the document has here. */
function readWord(reader: Reader, words: StaticArray<View>, rule: View): i32 {
  const word = reader.text(1, 16);
  for (let i = 0; i < words.length; i++) {
    if (equals(words[i], word)) return i;
  }
  reader.fail(rule);
  return 0;
}

/** False for the first word, true for the second. */
function readChoice(reader: Reader, no: View, yes: View): bool {
  const word = reader.text(1, 16);
  if (equals(word, yes)) return true;
  if (!equals(word, no)) reader.fail(literal("must be %q or %q"), no, yes);
  return false;
}
