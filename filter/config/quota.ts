import { ABSENT, View, equals, lengthOf, literal, pointerOf } from "../bytes/view";
import { METER_ID, WINDOW_ID, counterId, numberId } from "../tables/counterId";
import { Calendar, FailureMode, Per, Quota, QuotaKind, Window } from "../tables/quota";
import { Tables } from "../tables/tables";
import { NANOSECONDS, ceilDivide, nominalSeconds } from "../time/window";
import { Reader } from "./reader";
import { readMode, readName } from "./rule";
import {
  FAILURE_MODES,
  MAX_BUCKET_RATE_PER_SECOND,
  MAX_BURST,
  MAX_EXACT,
  MAX_REFILL_DAYS,
  MAX_WARNINGS,
  MAX_WINDOW_SECONDS,
  PERS,
  UNIT_LETTERS,
  UNIT_SECONDS,
  WINDOWS,
} from "./contract";
import * as Field from "./field";

const MAX_REFILL_NANOSECONDS: i64 = MAX_REFILL_DAYS * 86400 * NANOSECONDS;
/** Bits of a meter's detail byte, beside the window's number: they keep the counters of the three kinds apart. */
const BUCKET_DETAIL: u8 = 0x80;
const MESH_DETAIL: u8 = 0x40;
/** By kind. */
const KIND_DETAILS: StaticArray<u8> = [0, MESH_DETAIL, BUCKET_DETAIL];
/** The window's number of all lengths that have none of their own. */
const OTHER_LENGTH: u8 = 9;
const DAY: i32 = 86400;
const ZERO: u8 = 0x30;
/** As many as the longest window has in seconds. */
const MAX_DIGITS = 8;

export function decodeQuota(reader: Reader, tables: Tables, firstOfList: i32): Quota {
  const index = tables.quotas.count;
  const quota = tables.quotas.add();
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.NAME, 0)) {
      quota.name = tables.texts.keep(readName(reader));
      for (let i = firstOfList; i < index; i++) {
        if (equals(tables.quotas.at(i).name, quota.name)) reader.fail(literal("a second quota named %q"), quota.name);
      }
    } else if (reader.takes(Field.LIMIT, 1)) {
      quota.limit = reader.integer(1, MAX_EXACT);
    } else if (reader.takes(Field.WINDOW, 2)) {
      readWindow(reader, quota);
    } else if (reader.takes(Field.BURST, 3)) {
      quota.burst = reader.integer(1, MAX_BURST);
    } else if (reader.takes(Field.PER, 4)) {
      quota.per = <Per>readWord(reader, PERS, literal("must be consumer, api, operation, key, group or address"));
    } else if (reader.takes(Field.SCOPE, 5)) {
      if (readChoice(reader, Field.ENVOY, Field.MESH)) quota.kind = QuotaKind.Mesh;
    } else if (reader.takes(Field.ON_UNAVAILABLE, 6)) {
      quota.failureMode = <FailureMode>readWord(reader, FAILURE_MODES, literal("must be deny, allow or local-share"));
    } else if (reader.takes(Field.LOCAL_SHARE, 7)) {
      quota.localShare = reader.integer(1, MAX_EXACT);
    } else if (reader.takes(Field.COUNTER, 9)) {
      quota.counter = tables.texts.keep(readName(reader));
    } else if (reader.takes(Field.WARN_AT, 10)) {
      quota.warnAt = readWarnAt(reader);
    } else if (reader.takes(Field.MODE, 8)) {
      quota.mode = readMode(reader);
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
  reader.needs(1, Field.LIMIT);
  reader.needs(2, Field.WINDOW);
  if (!reader.failed) checkQuota(reader, quota);
  return quota;
}

function checkQuota(reader: Reader, quota: Quota): void {
  if (quota.burst > 0) {
    const problem = setBucket(quota);
    if (problem != ABSENT) reader.fail(problem);
    if (quota.kind == QuotaKind.Mesh) reader.fail(literal("a bucket cannot have the scope mesh"));
    if (quota.warnAt != 0) reader.fail(literal("a bucket cannot warn"));
    quota.kind = QuotaKind.Bucket;
  }
  if (quota.kind == QuotaKind.Mesh && quota.per == Per.Address)
    reader.fail(literal("a quota per address cannot have the scope mesh"));
  if (quota.kind != QuotaKind.Mesh && quota.failureMode != FailureMode.Deny)
    reader.fail(literal("onUnavailable goes with the scope mesh"));
  if ((quota.failureMode == FailureMode.LocalShare) != quota.localShare > 0)
    reader.fail(literal("localShare goes with onUnavailable local-share, and that with it"));
}

/** Sets how quickly a bucket fills. Returns what is wrong with its size, or ABSENT. */
export function setBucket(quota: Quota): View {
  const seconds = nominalSeconds(quota.window);
  if (seconds > DAY) return literal("burst goes with a window of at most a day");
  if (quota.limit / seconds > MAX_BUCKET_RATE_PER_SECOND)
    return literal("a bucket fills at most 1000000 times a second");
  // Rounded up, so that a bucket never fills too fast.
  quota.intervalNanoseconds = ceilDivide(seconds * NANOSECONDS, quota.limit);
  return quota.burst > MAX_REFILL_NANOSECONDS / quota.intervalNanoseconds
    ? literal("a bucket must refill within 366 days")
    : ABSENT;
}

/** Sets the quota's meter. */
export function finishQuota(quota: Quota): void {
  const detail = windowDetail(quota.window);
  const name = quota.counter == ABSENT ? quota.name : quota.counter;
  quota.meter = counterId(METER_ID, detail | KIND_DETAILS[quota.kind], name);
  if (detail == OTHER_LENGTH) quota.meter ^= numberId(WINDOW_ID, quota.window);
}

/** The window's number in a meter's detail byte: part of the counters' identity, so none of these may ever change. */
function windowDetail(window: Window): u8 {
  switch (window) {
    case 1:
      return 0;
    case 60:
      return 1;
    case 3600:
      return 2;
    case DAY:
      return 3;
    case Calendar.Week:
      return 4;
    case Calendar.Month:
      return 5;
    case 7 * DAY:
      return 6;
    case 30 * DAY:
      return 7;
    case Calendar.Year:
      return 8;
    default:
      return OTHER_LENGTH;
  }
}

/** Percentages in their order. */
function readWarnAt(reader: Reader): u32 {
  let packed: u32 = 0;
  let last: i64 = 0;
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    if (i == MAX_WARNINGS) reader.fail(literal("at most %d percentages"), MAX_WARNINGS);
    const percent = reader.integer(1, 100);
    if (percent <= last) reader.fail(literal("must be above the one before"));
    last = percent;
    packed |= (<u32>percent) << (8 * (i & 3));
  }
  if (packed == 0) reader.fail(literal("needs a percentage"));
  return packed;
}

/** A word, or a whole number without leading zeros and its unit. */
function readWindow(reader: Reader, quota: Quota): void {
  const text = reader.text(1, 16);
  const unitCount = UNIT_SECONDS.length;
  for (let i = 0; i < WINDOWS.length; i++) {
    // The words of the units come first, then those of the calendar.
    if (!equals(WINDOWS[i], text)) continue;
    quota.window = i < unitCount ? UNIT_SECONDS[i] : unitCount - i - 1;
    quota.isDay = quota.window == DAY;
    return;
  }
  const seconds = secondsIn(text);
  if (seconds == 0)
    reader.fail(
      literal("must be second, minute, hour, day, week, month, year or a length from 1s to 366d, such as 15m"),
    );
  quota.window = seconds;
}

/** The seconds of a length such as 15m; 0 for anything else, or more than a window may have. */
function secondsIn(text: View): i32 {
  const last = lengthOf(text) - 1;
  if (last < 1 || last > MAX_DIGITS || load<u8>(pointerOf(text)) == ZERO) return 0;
  let number: i64 = 0;
  for (let i = 0; i < last; i++) {
    const digit = load<u8>(pointerOf(text) + i) - ZERO;
    if (digit > 9) return 0;
    number = number * 10 + digit;
  }
  for (let i = 0; i < UNIT_SECONDS.length; i++) {
    if (load<u8>(pointerOf(UNIT_LETTERS) + i) != load<u8>(pointerOf(text) + last)) continue;
    const seconds = number * UNIT_SECONDS[i];
    return seconds <= MAX_WINDOW_SECONDS ? <i32>seconds : 0;
  }
  return 0;
}

/** The index of the word that the document has here. */
export function readWord(reader: Reader, words: StaticArray<View>, rule: View): i32 {
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
