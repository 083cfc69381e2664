import { NONE } from "../bytes/rows";
import { Anchors, Calendars, Zone } from "../tables/calendar";
import { Calendar, Window } from "../tables/quota";
import { DAY, floorDivide, windowEnd, windowStart } from "./window";

/**
 * Windows on a zone's own clock. A window begins at the first instant at which the clock shows its beginning, or a later time where
 * the clock skips that. So each window ends where the next one begins, whatever the clock does: an hour that it shows twice lies in
 * one window, a day that it skips is a window of no length.
 *
 *   clock  22:00  23:00│23:00  00:00        23:00│01:00  02:00
 *   window ────────────┼──────┤ next        ─────┤ next
 *                  set back              set forward
 *
 * Times on the clock are counted in seconds as if it were UTC.
 */

/** The days on which the window that was looked for begins, and the next one; counted from the epoch. */
let firstDay: i64 = 0;
let nextDay: i64 = 0;

/** First second of the window that contains `second`; `window` is a day or one of `Calendar`. */
export function movedStart(calendars: Calendars, anchors: Anchors, window: Window, second: i64): i64 {
  findDays(anchors, window, latestShown(calendars, anchors.zone, second));
  return firstShowing(calendars, anchors.zone, firstDay * DAY + anchors.daySeconds);
}

/** First second after the window that contains `second`. */
export function movedEnd(calendars: Calendars, anchors: Anchors, window: Window, second: i64): i64 {
  findDays(anchors, window, latestShown(calendars, anchors.zone, second));
  return firstShowing(calendars, anchors.zone, nextDay * DAY + anchors.daySeconds);
}

/** The latest time that the clock has shown up to `second`: more than it shows now where it was set back. */
function latestShown(calendars: Calendars, index: i32, second: i64): i64 {
  if (index == NONE) return second;
  const zone = calendars.zones.at(index);
  let offset = zone.offsetSeconds;
  let latest = i64.MIN_VALUE;
  for (let i = zone.firstChange; i < zone.firstChange + zone.changeCount; i++) {
    const change = calendars.changes.at(i);
    if (change.at > second) break;
    latest = max(latest, change.at - 1 + offset);
    offset = change.offsetSeconds;
  }
  return max(latest, second + offset);
}

/** The first second at which the clock shows `time` or later. */
function firstShowing(calendars: Calendars, index: i32, time: i64): i64 {
  if (index == NONE) return time;
  const zone: Zone = calendars.zones.at(index);
  let offset = zone.offsetSeconds;
  let since = i64.MIN_VALUE;
  for (let i = zone.firstChange; i < zone.firstChange + zone.changeCount; i++) {
    const change = calendars.changes.at(i);
    const first = max(since, time - offset);
    if (first < change.at) return first;
    since = change.at;
    offset = change.offsetSeconds;
  }
  return max(since, time - offset);
}

/** Finds the days of the window that a time on the clock lies in. */
function findDays(anchors: Anchors, window: Window, time: i64): void {
  const day = floorDivide(time - anchors.daySeconds, DAY);
  if (window > 0) {
    firstDay = day;
    nextDay = day + 1;
  } else if (window == Calendar.Week) {
    firstDay = windowStart(Calendar.Week, (day - anchors.weekday) * DAY) / DAY + anchors.weekday;
    nextDay = firstDay + 7;
  } else {
    const first = windowStart(window, day * DAY) / DAY;
    const anchor = anchorIn(anchors, window, first);
    if (day < anchor) {
      firstDay = anchorIn(anchors, window, windowStart(window, (first - 1) * DAY) / DAY);
      nextDay = anchor;
    } else {
      firstDay = anchor;
      nextDay = anchorIn(anchors, window, windowEnd(window, first * DAY) / DAY);
    }
  }
}

/** The day on which the window of the month or year begins whose first day is `first`. */
function anchorIn(anchors: Anchors, window: Window, first: i64): i64 {
  let month = first;
  let wanted = anchors.monthDay;
  if (window == Calendar.Year) {
    for (let i = 1; i < anchors.yearMonth; i++) month = windowEnd(Calendar.Month, month * DAY) / DAY;
    wanted = anchors.yearDay;
  }
  const length = windowEnd(Calendar.Month, month * DAY) / DAY - month;
  return month + min<i64>(wanted, length) - 1;
}
