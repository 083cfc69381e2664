import { NONE, Slots } from "../bytes/rows";
import { ABSENT, View, literal, nameInPlace, viewOf } from "../bytes/view";
import { Anchors, MovedWindow } from "../tables/calendar";
import { Calendar, Per, Quota, QuotaKind, QuotaList } from "../tables/quota";
import { Tables } from "../tables/tables";
import { Names } from "./names";
import { Reader } from "./reader";
import {
  MAX_DAY_MINUTES,
  MAX_EXACT,
  MAX_NAME_BYTES,
  MAX_OFFSET_SECONDS,
  MAX_ZONES,
  MAX_ZONE_CHANGES,
} from "./contract";
import * as Field from "./field";

const MINUTE = 60;

/** `[{"name": "Europe/Berlin", "offsetSeconds": 3600, "changes": [{"at": 1774746000, "offsetSeconds": 7200}], "until": 1861920000}]` */
export function decodeZones(reader: Reader, tables: Tables, names: Names): void {
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    if (i == MAX_ZONES) reader.fail(literal("at most %d zones"), MAX_ZONES);
    decodeZone(reader, tables, names);
  }
}

function decodeZone(reader: Reader, tables: Tables, names: Names): void {
  const calendars = tables.calendars;
  const zone = calendars.zones.add();
  zone.firstChange = calendars.changes.count;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.NAME, 0)) {
      const name = reader.text(1, MAX_NAME_BYTES);
      if (!reader.failed && !names.zones.add(name)) reader.fail(literal("a second zone named %q"), name);
    } else if (reader.takes(Field.OFFSET_SECONDS, 1)) {
      zone.offsetSeconds = reader.integer(-MAX_OFFSET_SECONDS, MAX_OFFSET_SECONDS);
    } else if (reader.takes(Field.UNTIL, 2)) {
      zone.untilSeconds = reader.integer(0, MAX_EXACT);
    } else if (reader.takes(Field.CHANGES, 3)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) {
        if (i == MAX_ZONE_CHANGES) reader.fail(literal("at most %d changes to a zone"), MAX_ZONE_CHANGES);
        decodeChange(reader, tables, i);
      }
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
  reader.needs(1, Field.OFFSET_SECONDS);
  reader.needs(2, Field.UNTIL);
  zone.changeCount = calendars.changes.count - zone.firstChange;
}

function decodeChange(reader: Reader, tables: Tables, index: i32): void {
  const changes = tables.calendars.changes;
  const change = changes.add();
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.AT, 0)) change.at = reader.integer(0, MAX_EXACT);
    else if (reader.takes(Field.OFFSET_SECONDS, 1))
      change.offsetSeconds = reader.integer(-MAX_OFFSET_SECONDS, MAX_OFFSET_SECONDS);
    else reader.unknownField();
  }
  reader.needs(0, Field.AT);
  reader.needs(1, Field.OFFSET_SECONDS);
  if (index > 0 && !reader.failed && changes.at(changes.count - 2).at > change.at)
    reader.fail(literal("changes of a zone must come one after the other"));
}

/** `{"zone": "Europe/Berlin", "monthBegins": 15}`; what is left out is as without a calendar. */
export function decodeCalendar(reader: Reader, anchors: Anchors, consumer: i32): void {
  anchors.zone = NONE;
  anchors.consumer = consumer;
  anchors.monthDay = 1;
  anchors.yearMonth = 1;
  anchors.yearDay = 1;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.ZONE, 0)) anchors.zone = nameInPlace(reader.text(1, MAX_NAME_BYTES));
    else if (reader.takes(Field.DAY_BEGINS_MINUTES, 1))
      anchors.daySeconds = <i32>reader.integer(0, MAX_DAY_MINUTES) * MINUTE;
    else if (reader.takes(Field.WEEK_BEGINS, 2)) anchors.weekday = <i32>reader.integer(1, 7) - 1;
    else if (reader.takes(Field.MONTH_BEGINS, 3)) anchors.monthDay = <i32>reader.integer(1, 31);
    else if (reader.takes(Field.YEAR_BEGINS_MONTH, 4)) anchors.yearMonth = <i32>reader.integer(1, 12);
    else if (reader.takes(Field.YEAR_BEGINS_DAY, 5)) anchors.yearDay = <i32>reader.integer(1, 31);
    else reader.unknownField();
  }
}

/** Resolves the names of zones, and gives quotas that a calendar may concern their moved windows. */
export function linkCalendars(reader: Reader, tables: Tables, names: Names): void {
  const calendars = tables.calendars;
  if (calendars.ofPlans.count + calendars.ofConsumers.count == 0) return;
  for (let i = 0; i < tables.plans.count; i++) {
    const anchors = tables.plans.at(i).anchors;
    if (anchors != NONE)
      linkZone(reader, calendars.ofPlans.at(anchors), names, literal("plans[%d].calendar: no zone named %q"), i);
  }
  for (let i = 0; i < calendars.ofConsumers.count; i++) {
    const anchors = calendars.ofConsumers.at(i);
    linkZone(reader, anchors, names, literal("consumers[%d].calendar: no zone named %q"), anchors.consumer);
  }
  // Their addresses are kept.
  calendars.windows.reserve(tables.quotas.count);
  for (let i = 0; i < tables.plans.count; i++) {
    const plan = tables.plans.at(i);
    if (!moveAll(tables, plan, plan.anchors))
      return reader.fail(literal("plans[%d].calendar: the quotas of the scope mesh have windows of their own"), i);
  }
  for (let i = 0; i < tables.operations.count; i++) moveAll(tables, tables.operations.at(i), NONE);
  checkSharedWindows(reader, tables);
}

/** A counter that quotas of several plans share, because they say so or count for groups, cannot begin at two times. */
function checkSharedWindows(reader: Reader, tables: Tables): void {
  const count = tables.quotas.count;
  const shared = new Slots();
  shared.reset(count);
  for (let i = 0; i < count; i++) {
    const quota = tables.quotas.at(i);
    if (isShared(quota) && findShared(tables, shared, quota) == NONE) shared.put(<u32>quota.meter, i);
  }
  for (let i = 0; i < count; i++) {
    const quota = tables.quotas.at(i);
    const number = quota.kind == QuotaKind.Local ? findShared(tables, shared, quota) : NONE;
    if (number == NONE || hasWindowsOf(tables, quota, tables.quotas.at(number))) continue;
    reader.fail(
      literal("the quotas %q and %q share a counter, and their plans must have one calendar"),
      tables.quotas.at(number).name,
      quota.name,
    );
  }
  shared.free();
}

function isShared(quota: Quota): bool {
  return quota.kind == QuotaKind.Local && (quota.counter != ABSENT || quota.per == Per.Group);
}

/** A quota that has the same counter and says that it shares it, or NONE. */
function findShared(tables: Tables, shared: Slots, quota: Quota): i32 {
  for (let i = shared.first(<u32>quota.meter); i != NONE; i = shared.next()) {
    if (tables.quotas.at(i).meter == quota.meter && tables.quotas.at(i).per == quota.per) return i;
  }
  return NONE;
}

function hasWindowsOf(tables: Tables, one: Quota, other: Quota): bool {
  const a = planAnchorsOf(one);
  const b = planAnchorsOf(other);
  if (a == b) return true;
  const ofPlans = tables.calendars.ofPlans;
  if (a == NONE || b == NONE) return false;
  return memory.compare(changetype<usize>(ofPlans.at(a)), changetype<usize>(ofPlans.at(b)), offsetof<Anchors>()) == 0;
}

/** The anchors of the quota's plan, or NONE where there are none or they do not concern it. */
function planAnchorsOf(quota: Quota): i32 {
  return quota.window >= Calendar.Year ? NONE : changetype<MovedWindow>(<usize>-quota.window).anchors;
}

function linkZone(reader: Reader, anchors: Anchors, names: Names, rule: View, owner: i32): void {
  if (anchors.zone == NONE) return;
  const name = viewOf(anchors.zone);
  anchors.zone = names.zones.find(name);
  if (anchors.zone == NONE) reader.fail(rule, owner, name);
}

/** False where a quota of the rate limit service would have to follow the plan's calendar. */
function moveAll(tables: Tables, list: QuotaList, anchors: i32): bool {
  const calendars = tables.calendars;
  if (anchors == NONE && calendars.ofConsumers.count == 0) return true;
  for (let i = list.firstQuota; i < list.firstQuota + list.quotaCount; i++) {
    const quota = tables.quotas.at(i);
    if (!isMovable(quota)) continue;
    if (quota.kind == QuotaKind.Local) move(tables, quota, anchors);
    else if (anchors != NONE) return false;
  }
  return true;
}

function isMovable(quota: Quota): bool {
  return quota.kind != QuotaKind.Bucket && (quota.isDay || quota.window < 0);
}

function move(tables: Tables, quota: Quota, anchors: i32): void {
  const moved: MovedWindow = tables.calendars.windows.add();
  moved.plain = quota.window;
  moved.anchors = anchors;
  moved.calendars = changetype<usize>(tables.calendars);
  moved.isShared = quota.per == Per.Group;
  quota.window = -(<i32>changetype<usize>(moved));
}
