import { NONE } from "../../../filter/bytes/rows";
import { Anchors, Calendars } from "../../../filter/tables/calendar";
import { Calendar, Window } from "../../../filter/tables/quota";
import { movedEnd, movedStart } from "../../../filter/time/calendar";
import { windowEnd, windowStart } from "../../../filter/time/window";

const HOUR: i64 = 3600;
const DAY: i64 = 86400;
/** The window of a day. */
const A_DAY: Window = 86400;
/** 2026-03-01T00:00:00Z, a Sunday. */
const MARCH: i64 = 1772323200;

let calendars: Calendars = new Calendars();
const ANCHORS: Anchors = changetype<Anchors>(memory.data(offsetof<Anchors>(), 8));

/** A zone that is `offset` ahead of UTC at first. */
function zone(offset: i64): void {
  calendars = new Calendars();
  calendars.zones.add().offsetSeconds = offset;
  anchors(0);
}

function anchors(index: i32): void {
  ANCHORS.zone = index;
  ANCHORS.daySeconds = 0;
  ANCHORS.weekday = 0;
  ANCHORS.monthDay = 1;
  ANCHORS.yearMonth = 1;
  ANCHORS.yearDay = 1;
}

function change(at: i64, offset: i64): void {
  const added = calendars.changes.add();
  added.at = at;
  added.offsetSeconds = offset;
  calendars.zones.at(0).changeCount++;
}

function expectWindow(window: Window, second: i64, start: i64, end: i64): void {
  expect(movedStart(calendars, ANCHORS, window, second)).toBe(start, "start");
  expect(movedEnd(calendars, ANCHORS, window, second)).toBe(end, "end");
}

describe("windows of a calendar", () => {
  it("have 23 hours on the day on which the clock is set forward, and 25 when it is set back", () => {
    zone(HOUR);
    // at 02:00 on the 29th of March, as in Berlin; and back on the 5th of April
    change(MARCH + 28 * DAY + HOUR, 2 * HOUR);
    change(MARCH + 35 * DAY + HOUR, HOUR);
    expectWindow(A_DAY, MARCH + 28 * DAY, MARCH + 28 * DAY - HOUR, MARCH + 29 * DAY - 2 * HOUR);
    expectWindow(A_DAY, MARCH + 35 * DAY, MARCH + 35 * DAY - 2 * HOUR, MARCH + 36 * DAY - HOUR);
    expectWindow(Calendar.Month, MARCH + 31 * DAY - 2 * HOUR - 1, MARCH - HOUR, MARCH + 31 * DAY - 2 * HOUR);
  });

  it("begin where the clock goes on when it skips their beginning", () => {
    zone(2 * HOUR);
    // at midnight, as in Beirut: 23:59:59 is followed by 01:00
    change(MARCH + 28 * DAY - 2 * HOUR, 3 * HOUR);
    const midnight = MARCH + 28 * DAY - 2 * HOUR;
    expectWindow(A_DAY, midnight - 1, midnight - DAY, midnight);
    expectWindow(A_DAY, midnight, midnight, midnight + DAY - HOUR);
  });

  it("do not begin again when the clock shows their beginning twice", () => {
    zone(2 * HOUR);
    ANCHORS.daySeconds = 90 * 60;
    // at 02:00 back to 01:00: 01:30 comes twice
    const change1 = MARCH + 10 * DAY;
    change(change1, HOUR);
    const first = change1 - 30 * 60;
    expectWindow(A_DAY, first - 1, first - DAY, first);
    expectWindow(A_DAY, first, first, first + DAY + HOUR);
    expectWindow(A_DAY, change1, first, first + DAY + HOUR);
    expectWindow(A_DAY, change1 + 30 * 60, first, first + DAY + HOUR);
  });

  it("leave out a day that the clock skips", () => {
    zone(-10 * HOUR);
    // as in Apia: from the 29th to the 31st
    const skip = MARCH + 29 * DAY + 10 * HOUR;
    change(skip, 14 * HOUR);
    expectWindow(A_DAY, skip - 1, skip - DAY, skip);
    expectWindow(A_DAY, skip, skip, skip + DAY);
    expect(movedStart(calendars, ANCHORS, A_DAY, skip + DAY)).toBe(skip + DAY);
  });

  it("begin on the last day of a month that does not have the day", () => {
    anchors(NONE);
    ANCHORS.monthDay = 31;
    const february = MARCH - 28 * DAY;
    expectWindow(Calendar.Month, MARCH, MARCH - DAY, MARCH + 30 * DAY);
    expectWindow(Calendar.Month, MARCH - DAY - 1, february - DAY, MARCH - DAY);
    ANCHORS.monthDay = 30;
    expectWindow(Calendar.Month, MARCH - DAY, MARCH - DAY, MARCH + 29 * DAY);
    ANCHORS.yearMonth = 2;
    ANCHORS.yearDay = 29;
    // 2028 is a leap year
    expectWindow(Calendar.Year, MARCH, MARCH - DAY, MARCH + 364 * DAY);
    expectWindow(Calendar.Year, MARCH + 365 * DAY, MARCH + 364 * DAY, MARCH + 730 * DAY);
  });

  it("are those of UTC without a zone and with the usual beginnings", () => {
    anchors(NONE);
    const windows: StaticArray<Window> = [A_DAY, Calendar.Week, Calendar.Month, Calendar.Year];
    for (let i = 0; i < windows.length; i++) {
      for (let second = MARCH - 900 * DAY; second < MARCH + 900 * DAY; second += 7 * HOUR + 11) {
        const start = windowStart(windows[i], second);
        assert(movedStart(calendars, ANCHORS, windows[i], second) == start);
        assert(movedEnd(calendars, ANCHORS, windows[i], second) == windowEnd(windows[i], start));
      }
    }
  });

  it("follow each other without a gap, whatever the clock does", () => {
    zone(5 * HOUR + 1800);
    for (let i = 0; i < 60; i++)
      change(MARCH + <i64>i * (5 * DAY + 3 * HOUR + 17), (((<i64>i * 7919) % 27) - 12) * HOUR);
    ANCHORS.daySeconds = <i32>(7 * HOUR);
    ANCHORS.weekday = 3;
    ANCHORS.monthDay = 15;
    const windows: StaticArray<Window> = [A_DAY, Calendar.Week, Calendar.Month, Calendar.Year];
    for (let i = 0; i < windows.length; i++) {
      let start = movedStart(calendars, ANCHORS, windows[i], MARCH - 500 * DAY);
      while (start < MARCH + 900 * DAY) {
        const end = movedEnd(calendars, ANCHORS, windows[i], start);
        assert(end > start);
        assert(movedStart(calendars, ANCHORS, windows[i], start) == start);
        assert(movedStart(calendars, ANCHORS, windows[i], end - 1) == start);
        assert(movedEnd(calendars, ANCHORS, windows[i], end - 1) == end);
        assert(movedStart(calendars, ANCHORS, windows[i], end) == end);
        start = end;
      }
    }
    // 2400 windows and more, each compared with its neighbours
    expect(calendars.changes.count).toBe(60);
  });
});
