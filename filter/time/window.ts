import { Calendar, Window } from "../tables/quota";

/** Nanoseconds in a second. The host's clock gives nanoseconds since the epoch; windows are in seconds. */
export const NANOSECONDS: i64 = 1_000_000_000;

/** How far the clock may be set back without a closed window being opened again. */
export const CLOCK_STEP_SECONDS: i64 = 60;

/** No window ends further ahead than this: a leap year, and a day for clocks that differ. */
export const LONGEST_WINDOW_NANOSECONDS: i64 = 367 * 86400 * NANOSECONDS;

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
 * Windows in UTC. A window is identified by its first second, which can be stored, compared and checked against any clock. One
 * of a fixed length begins at a multiple of it since 1970-01-01T00:00:00Z. Weeks start on Monday (ISO 8601), months on the first,
 * years on the first of January.
 */
export const DAY: i64 = 86400;
/** 1970-01-01 was a Thursday: three days after a Monday. */
const WEEK_SHIFT: i64 = 3 * DAY;

/** Length of the window in seconds; a month counts as 30 days, a year as 365. */
export function nominalSeconds(window: Window): i64 {
  if (window > 0) return window;
  return window == Calendar.Week ? 7 * DAY : window == Calendar.Month ? 30 * DAY : 365 * DAY;
}

/** First second of the window that contains `second`. */
export function windowStart(window: Window, second: i64): i64 {
  if (window > 0) return floorDivide(second, window) * <i64>window;
  if (window == Calendar.Week) return floorDivide(second + WEEK_SHIFT, 7 * DAY) * (7 * DAY) - WEEK_SHIFT;
  const days = floorDivide(second, DAY);
  return (days - (window == Calendar.Month ? dayOfMonth(days) : dayOfYear(days))) * DAY;
}

/** First second after the window that begins at `start`. */
export function windowEnd(window: Window, start: i64): i64 {
  if (window > Calendar.Month) return start + nominalSeconds(window);
  // 31.5 days after the first always lie in the next month, and 366.5 days after the first of January in the next year.
  return windowStart(window, start + (window == Calendar.Month ? 31 : 366) * DAY + DAY / 2);
}

/** Quotient of two numbers, rounded down. */
export function floorDivide(a: i64, b: i64): i64 {
  const quotient = a / b;
  return a % b < 0 ? quotient - 1 : quotient;
}

/*
 * Howard Hinnant's civil-calendar algorithm, in which a year begins on the first of March, so that the leap day is its last. Days
 * are counted from the epoch, days of a month or year from 0.
 */
const MARCH_OF_YEAR_0: i64 = 719468;
const DAYS_OF_400_YEARS: i64 = 146097;
/** From the first of March to the first of January. */
const DAYS_TO_JANUARY: i64 = 306;

/** The day within its 400 years, all of which have the same calendar. */
function dayOfEra(days: i64): i64 {
  const shifted = days + MARCH_OF_YEAR_0;
  return shifted - floorDivide(shifted, DAYS_OF_400_YEARS) * DAYS_OF_400_YEARS;
}

function yearOf(day: i64): i64 {
  return (day - day / 1460 + day / 36524 - day / 146096) / 365;
}

/** Days since the first of March. */
function sinceMarch(day: i64, year: i64): i64 {
  return day - (365 * year + year / 4 - year / 100);
}

function dayOfMonth(days: i64): i64 {
  const day = dayOfEra(days);
  const march = sinceMarch(day, yearOf(day));
  const month = (5 * march + 2) / 153;
  return march - (153 * month + 2) / 5;
}

function dayOfYear(days: i64): i64 {
  const day = dayOfEra(days);
  const year = yearOf(day);
  const march = sinceMarch(day, year);
  if (march >= DAYS_TO_JANUARY) return march - DAYS_TO_JANUARY;
  // January and February of the same year come first.
  return march + (isLeap(year) ? 60 : 59);
}

function isLeap(year: i64): bool {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}
