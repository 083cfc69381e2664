import { writeByte } from "../bytes/arena";
import { DAY, floorDivide } from "./window";

/** The last second of the year 9999: later ones have no RFC 3339. */
export const LAST_SECOND: i64 = 253_402_300_799;

/** Appends a time as RFC 3339 has it in UTC, such as `2027-01-31T00:00:00Z`; `seconds` since the epoch, up to LAST_SECOND. */
export function writeTime(seconds: i64): void {
  const days = floorDivide(seconds, DAY);
  writeDate(days);
  writeByte(0x54);
  const rest = seconds - days * DAY;
  writeDigits(rest / 3600, 2);
  writeByte(0x3a);
  writeDigits((rest / 60) % 60, 2);
  writeByte(0x3a);
  writeDigits(rest % 60, 2);
  writeByte(0x5a);
}

const MARCH_OF_YEAR_0: i64 = 719468;
const DAYS_OF_400_YEARS: i64 = 146097;

/** By Howard Hinnant's civil-calendar algorithm (see window.ts), from days since the epoch. */
function writeDate(days: i64): void {
  const shifted = days + MARCH_OF_YEAR_0;
  const era = floorDivide(shifted, DAYS_OF_400_YEARS);
  const day = shifted - era * DAYS_OF_400_YEARS;
  const year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  const march = day - (365 * year + year / 4 - year / 100);
  const shiftedMonth = (5 * march + 2) / 153;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  writeDigits(year + era * 400 + (month <= 2 ? 1 : 0), 4);
  writeByte(0x2d);
  writeDigits(month, 2);
  writeByte(0x2d);
  writeDigits(march - (153 * shiftedMonth + 2) / 5 + 1, 2);
}

function writeDigits(value: i64, count: i32): void {
  let place: i64 = 1;
  for (let i = 1; i < count; i++) place *= 10;
  for (; place > 0; place /= 10) writeByte(<u8>(0x30 + ((value / place) % 10)));
}
