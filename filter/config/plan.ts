import { View, equals, literal } from "../bytes/view";
import { Quota, WindowKind } from "../tables/record";
import { Tables } from "../tables/tables";
import { METER_ID, counterId } from "../tables/counterId";
import { nominalSeconds } from "../quota/window";
import { Names } from "./names";
import { MAX_EXACT } from "./number";
import { Reader } from "./reader";
import { readName } from "./rule";
import * as Field from "./field";

/** Quotas of one plan; a request's answer names each of them. */
export const MAX_QUOTAS = 8;
const MAX_BUCKET_RATE_PER_SECOND: i64 = 1_000_000;
const MAX_BURST: i64 = 1_000_000_000;
const MAX_REFILL_NANOSECONDS: i64 = 366 * 86400 * 1_000_000_000;
const NANOSECONDS: i64 = 1_000_000_000;
/** Bit of a meter's detail byte that tells a bucket from a window count. */
const BUCKET_DETAIL: u8 = 0x80;
const WINDOWS: StaticArray<View> = [
  literal("second"), literal("minute"), literal("hour"), literal("day"), literal("week"), literal("month"),
];

export function decodePlan(reader: Reader, tables: Tables, names: Names): void {
  const plan = tables.plans.add();
  plan.firstQuota = tables.quotas.count;
  const index = tables.plans.count - 1;
  let seen: u32 = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.is(Field.NAME)) {
      seen = reader.mark(seen, 0);
      const name = readName(reader);
      if (!reader.failed && !names.plans.add(name, index)) reader.fail("a second plan named " + Reader.quote(name));
      plan.name = tables.texts.keep(name);
    } else if (reader.is(Field.QUOTAS)) {
      seen = reader.mark(seen, 1);
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) {
        if (i == MAX_QUOTAS) reader.fail("at most " + MAX_QUOTAS.toString() + " quotas to a plan");
        decodeQuota(reader, tables, plan.firstQuota);
      }
    } else reader.unknownField();
  }
  reader.need(seen, 0, "name");
  plan.quotaCount = tables.quotas.count - plan.firstQuota;
}

function decodeQuota(reader: Reader, tables: Tables, firstOfPlan: i32): void {
  const index = tables.quotas.count;
  const quota = tables.quotas.add();
  let seen: u32 = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.is(Field.NAME)) {
      seen = reader.mark(seen, 0);
      quota.name = tables.texts.keep(readName(reader));
      for (let i = firstOfPlan; i < index; i++) {
        if (equals(tables.quotas.at(i).name, quota.name)) reader.fail("a second quota named " + Reader.quote(quota.name));
      }
    } else if (reader.is(Field.LIMIT)) {
      seen = reader.mark(seen, 1);
      quota.limit = reader.integer(1, MAX_EXACT);
    } else if (reader.is(Field.WINDOW)) {
      seen = reader.mark(seen, 2);
      quota.window = readWindow(reader);
    } else if (reader.is(Field.BURST)) {
      seen = reader.mark(seen, 3);
      quota.burst = reader.integer(1, MAX_BURST);
    } else if (reader.is(Field.PER)) {
      seen = reader.mark(seen, 4);
      quota.perApi = readPer(reader);
    } else reader.unknownField();
  }
  reader.need(seen, 0, "name");
  reader.need(seen, 1, "limit");
  reader.need(seen, 2, "window");
  if (reader.failed) return;
  if (quota.burst > 0) setBucket(reader, quota);
  quota.meter = counterId(METER_ID, <u8>quota.window | (quota.burst > 0 ? BUCKET_DETAIL : 0), quota.name);
}

function setBucket(reader: Reader, quota: Quota): void {
  const seconds = nominalSeconds(quota.window);
  if (quota.window > WindowKind.Day) return reader.fail("burst goes with a window of a second, minute, hour or day");
  if (quota.limit / seconds > MAX_BUCKET_RATE_PER_SECOND) return reader.fail("a bucket fills at most 1000000 times a second");
  // Rounded up: a bucket may fill a nanosecond too slowly, never too fast.
  quota.intervalNanoseconds = (seconds * NANOSECONDS + quota.limit - 1) / quota.limit;
  if (quota.burst > MAX_REFILL_NANOSECONDS / quota.intervalNanoseconds) reader.fail("a bucket must refill within 366 days");
}

function readWindow(reader: Reader): WindowKind {
  const word = reader.text(1, 16);
  for (let i = 0; i < WINDOWS.length; i++) {
    if (equals(WINDOWS[i], word)) return <WindowKind>i;
  }
  reader.fail("must be second, minute, hour, day, week or month");
  return WindowKind.Second;
}

/** True for a counter of its own on each API. */
function readPer(reader: Reader): bool {
  const word = reader.text(1, 16);
  if (equals(word, Field.API)) return true;
  if (!equals(word, Field.CONSUMER)) reader.fail("must be \"consumer\" or \"api\"");
  return false;
}
