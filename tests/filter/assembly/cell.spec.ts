import { resetArena } from "../../../filter/bytes/arena";
import { lengthOf, View } from "../../../filter/bytes/view";
import { Cell, charge, openWindow, usedIn } from "../../../filter/quota/cell";
import { addCell, emptyShard, findCell, isShard, lastCell, touch } from "../../../filter/quota/shard";

const YEAR: i64 = 365 * 86400;
const HOUR: i64 = 3600;

function newCell(): Cell {
  return lastCell(addCell(emptyShard(), 1, 2, 0));
}

describe("cells", () => {
  it("keeps a closed window closed when the clock goes back five seconds", () => {
    const cell = newCell();
    charge(cell, openWindow(cell, 100, 100), 7);
    expect(openWindow(cell, 95, 95)).toBe(100);
    expect(usedIn(cell, 100)).toBe(7);
  });

  it("finds the count of the window before when the clock goes back over the hour", () => {
    const cell = newCell();
    charge(cell, openWindow(cell, 0, HOUR - 1), 600);
    charge(cell, openWindow(cell, HOUR, HOUR), 1);
    expect(openWindow(cell, 0, HOUR - 4)).toBe(0);
    expect(usedIn(cell, 0)).toBe(600);
    expect(usedIn(cell, HOUR)).toBe(1);
  });

  it("keeps its count through one reading a year ahead, and opens the next window after", () => {
    const cell = newCell();
    charge(cell, openWindow(cell, 0, 10), 600);
    charge(cell, openWindow(cell, YEAR, YEAR), 1);
    expect(openWindow(cell, 0, 11)).toBe(0);
    expect(usedIn(cell, 0)).toBe(600);
    expect(openWindow(cell, HOUR, HOUR)).toBe(HOUR);
    expect(usedIn(cell, HOUR)).toBe(0);
    expect(usedIn(cell, 0)).toBe(600);
  });

  it("never counts below zero", () => {
    const cell = newCell();
    charge(cell, openWindow(cell, 0, 0), 3);
    charge(cell, 0, -5);
    expect(usedIn(cell, 0)).toBe(0);
  });
});

describe("shards", () => {
  it("drops cells that are over when a new one comes", () => {
    let shard: View = emptyShard();
    for (let i = 1; i <= 5; i++) {
      touch(shard, 1000);
      shard = addCell(shard, i, 9, 1000);
      lastCell(shard).overAtSeconds = i < 4 ? 1001 : 5000;
    }
    expect(isShard(shard)).toBe(true);
    touch(shard, 2000);
    shard = addCell(shard, 6, 9, 2100);
    expect(findCell(shard, 1, 9) == null).toBe(true);
    expect(findCell(shard, 4, 9) != null).toBe(true);
    expect(findCell(shard, 6, 9) != null).toBe(true);
    expect(lengthOf(shard)).toBe(16 + 3 * 56);
  });

  it("drops none when the clock has jumped by more than a day", () => {
    let shard: View = addCell(emptyShard(), 1, 9, 0);
    lastCell(shard).overAtSeconds = 3600;
    touch(shard, 100);
    shard = addCell(shard, 2, 9, YEAR);
    expect(findCell(shard, 1, 9) != null).toBe(true);
    resetArena();
  });
});
