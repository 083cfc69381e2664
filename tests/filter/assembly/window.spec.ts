import { WindowKind } from "../../../filter/tables/tables";
import { windowEnd, windowStart } from "../../../filter/time/window";

const DAY: i64 = 86400;

function expectWindow(kind: WindowKind, second: i64, start: i64, end: i64): void {
  expect(windowStart(kind, second)).toBe(start, "start");
  expect(windowEnd(kind, start)).toBe(end, "end");
}

describe("windows", () => {
  it("begins a week on Monday", () => {
    // 2026-11-16 was a Monday, 2026-11-22 a Sunday.
    expectWindow(WindowKind.Week, 1795392000 - 1, 1794787200, 1795392000);
    expectWindow(WindowKind.Week, 1794787200, 1794787200, 1795392000);
  });

  it("ends February on the 28th in a common year", () => {
    expectWindow(WindowKind.Month, 1772323199, 1769904000, 1772323200);
  });

  it("ends February on the 29th in a leap year", () => {
    expectWindow(WindowKind.Month, 1835395200, 1832976000, 1835481600);
  });

  it("knows that 2100 has no leap day", () => {
    expectWindow(WindowKind.Month, 4107542399, 4105123200, 4107542400);
  });

  it("holds every second of four hundred years in the month that contains it", () => {
    let start = windowStart(WindowKind.Month, 0);
    let months = 0;
    while (months < 4800) {
      const end = windowEnd(WindowKind.Month, start);
      const days = (end - start) / DAY;
      assert(days >= 28 && days <= 31 && (end - start) % DAY == 0);
      assert(windowStart(WindowKind.Month, start) == start);
      assert(windowStart(WindowKind.Month, end - 1) == start);
      assert(windowStart(WindowKind.Month, start + 13 * DAY + 5) == start);
      start = end;
      months++;
    }
    expect(start).toBe(146097 * DAY);
  });

  it("counts windows before 1970 downwards", () => {
    expectWindow(WindowKind.Hour, -1, -3600, 0);
    expectWindow(WindowKind.Month, -1, -31 * DAY, 0);
  });
});
