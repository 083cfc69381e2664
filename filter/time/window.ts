import { WindowKind } from "../tables/tables";

/** Nanoseconds in a second. The host's clock gives nanoseconds since the epoch; windows are in seconds. */
export const NANOSECONDS: i64 = 1_000_000_000;

/** How far the clock may be set back without a closed window being opened again. */
export const CLOCK_STEP_SECONDS: i64 = 60;

/** No window ends further ahead than this. */
export const LONGEST_WINDOW_NANOSECONDS: i64 = 32 * 86400 * NANOSECONDS;

/** True when `time` is in the future, by at most `most`: one further ahead was noted before the clock was set back. */
export function isAhead(time: i64, now: i64, most: i64): bool {
  return now < time && time - now <= most;
}

export function ceilSeconds(nanoseconds: i64): i64 {
  return ceilDivide(nanoseconds, NANOSECONDS);
}

/** Quotient of two positive numbers, rounded up. */
export function ceilDivide(value: i64, by: i64): i64 {
  return (value + by - 1) / by;
}

/**
 * Calendar windows in UTC. A window is identified by its first second, which can be stored, compared and checked against any
 * clock. Weeks start on Monday (ISO 8601), months on the first.
 */
const DAY: i64 = 86400;
/** 1970-01-01 was a Thursday: three days after a Monday. */
const WEEK_SHIFT: i64 = 3 * DAY;

/** Length of the window in seconds; a month counts as 30 days. */
export function nominalSeconds(kind: WindowKind): i64 {
  switch (kind) {
    case WindowKind.Second:
      return 1;
    case WindowKind.Minute:
      return 60;
    case WindowKind.Hour:
      return 3600;
    case WindowKind.Day:
      return DAY;
    case WindowKind.Week:
    case WindowKind.SevenDays:
      return 7 * DAY;
    default:
      return 30 * DAY;
  }
}

/** First second of the window that contains `second`. */
export function windowStart(kind: WindowKind, second: i64): i64 {
  if (kind == WindowKind.Month) return monthStart(second);
  const length = nominalSeconds(kind);
  const shift = kind == WindowKind.Week ? WEEK_SHIFT : 0;
  return floorDivide(second + shift, length) * length - shift;
}

/** First second after the window that begins at `start`. */
export function windowEnd(kind: WindowKind, start: i64): i64 {
  // 31.5 days after the first always lies in the next month.
  return kind == WindowKind.Month ? monthStart(start + 31 * DAY + DAY / 2) : start + nominalSeconds(kind);
}

function floorDivide(a: i64, b: i64): i64 {
  const quotient = a / b;
  return a % b < 0 ? quotient - 1 : quotient;
}

/** The first day of the month, by Howard Hinnant's civil-calendar algorithm (years begin in March). */
function monthStart(second: i64): i64 {
  const days = floorDivide(second, DAY);
  const shifted = days + 719468;
  const era = floorDivide(shifted, 146097);
  const dayOfEra = shifted - era * 146097;
  const yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365;
  const dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const month = (5 * dayOfYear + 2) / 153;
  const dayOfMonth = dayOfYear - (153 * month + 2) / 5;
  return (days - dayOfMonth) * DAY;
}
