import { Calendar, Window } from "../../../filter/tables/quota";
import { windowEnd, windowStart } from "../../../filter/time/window";

const DAY: i64 = 86400;

function expectWindow(window: Window, second: i64, start: i64, end: i64): void {
  expect(windowStart(window, second)).toBe(start, "start");
  expect(windowEnd(window, start)).toBe(end, "end");
}

describe("windows", () => {
  it("begins a week on Monday", () => {
    // 2026-11-16 was a Monday, 2026-11-22 a Sunday.
    expectWindow(Calendar.Week, 1795392000 - 1, 1794787200, 1795392000);
    expectWindow(Calendar.Week, 1794787200, 1794787200, 1795392000);
  });

  it("ends February on the 28th in a common year", () => {
    expectWindow(Calendar.Month, 1772323199, 1769904000, 1772323200);
  });

  it("ends February on the 29th in a leap year", () => {
    expectWindow(Calendar.Month, 1835395200, 1832976000, 1835481600);
  });

  it("knows that 2100 has no leap day", () => {
    expectWindow(Calendar.Month, 4107542399, 4105123200, 4107542400);
  });

  it("holds every second of four hundred years in the month that contains it", () => {
    let start = windowStart(Calendar.Month, 0);
    let months = 0;
    while (months < 4800) {
      const end = windowEnd(Calendar.Month, start);
      const days = (end - start) / DAY;
      assert(days >= 28 && days <= 31 && (end - start) % DAY == 0);
      assert(windowStart(Calendar.Month, start) == start);
      assert(windowStart(Calendar.Month, end - 1) == start);
      assert(windowStart(Calendar.Month, start + 13 * DAY + 5) == start);
      start = end;
      months++;
    }
    expect(start).toBe(146097 * DAY);
  });

  it("begins a year on the first of January", () => {
    // 2026 is a common year, 2028 a leap year; the 29th of February 2028 and the 31st of December lie in it.
    expectWindow(Calendar.Year, 1798761599, 1767225600, 1798761600);
    expectWindow(Calendar.Year, 1835395200, 1830297600, 1861920000);
    expectWindow(Calendar.Year, 1861920000 - 1, 1830297600, 1861920000);
    expectWindow(Calendar.Year, 4107542399, 4102444800, 4133980800);
  });

  it("holds every day of four hundred years in the year that its months make", () => {
    let start = windowStart(Calendar.Year, 0);
    let leaps = 0;
    for (let year = 0; year < 400; year++) {
      let month = start;
      for (let i = 0; i < 12; i++) {
        assert(windowStart(Calendar.Year, month) == start);
        assert(windowStart(Calendar.Year, windowEnd(Calendar.Month, month) - 1) == start);
        month = windowEnd(Calendar.Month, month);
      }
      assert(windowEnd(Calendar.Year, start) == month);
      if ((month - start) / DAY == 366) leaps++;
      start = month;
    }
    expect(start).toBe(146097 * DAY);
    expect(leaps).toBe(97);
  });

  it("begins a length at multiples of it since 1970, whether or not it divides a day", () => {
    expectWindow(10, 1795392009, 1795392000, 1795392010);
    expectWindow(900, 1795392000 - 1, 1795391100, 1795392000);
    // 7 hours: 71,237 of them and 13,200 seconds.
    expectWindow(25200, 71237 * 25200 + 13200, 71237 * 25200, 71238 * 25200);
    expectWindow(366 * 86400, 366 * 86400 - 1, 0, 366 * 86400);
  });

  it("counts windows before 1970 downwards", () => {
    expectWindow(7, -1, -7, 0);
    expectWindow(Calendar.Year, -1, -365 * DAY, 0);
    expectWindow(3600, -1, -3600, 0);
    expectWindow(Calendar.Month, -1, -31 * DAY, 0);
  });
});
