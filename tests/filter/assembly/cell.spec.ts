import { resetArena } from "../../../filter/bytes/arena";
import { lengthOf, View } from "../../../filter/bytes/view";
import { BucketCell } from "../../../filter/quota/bucket";
import { CELL_BYTES, WindowCell, addUnits, openWindow, usedIn } from "../../../filter/quota/local";
import { STOCK_BYTES, Stock } from "../../../filter/rateLimitService/stock";
import { Identity, addCell, emptyShard, findCell, isShard, lastCell, touch } from "../../../filter/shared/shard";

const YEAR: i64 = 365 * 86400;
const HOUR: i64 = 3600;

const IDENTITY: Identity = changetype<Identity>(memory.data(offsetof<Identity>(), 8));

/** An identity, until the next. */
function counter(consumerId: u64, meter: u64): Identity {
  IDENTITY.consumerId = consumerId;
  IDENTITY.meter = meter;
  return IDENTITY;
}

/** The cell that was added last. */
function last(shard: View): WindowCell {
  return changetype<WindowCell>(lastCell(shard, CELL_BYTES));
}

function newCell(): WindowCell {
  return last(addCell(emptyShard(), CELL_BYTES, counter(1, 2), 0));
}

describe("cells", () => {
  it("keeps a closed window closed when the clock goes back five seconds", () => {
    const cell = newCell();
    addUnits(cell, openWindow(cell, 100, 100), 7);
    expect(openWindow(cell, 95, 95)).toBe(100);
    expect(usedIn(cell, 100)).toBe(7);
  });

  it("finds the count of the window before when the clock goes back over the hour", () => {
    const cell = newCell();
    addUnits(cell, openWindow(cell, 0, HOUR - 1), 600);
    addUnits(cell, openWindow(cell, HOUR, HOUR), 1);
    expect(openWindow(cell, 0, HOUR - 4)).toBe(0);
    expect(usedIn(cell, 0)).toBe(600);
    expect(usedIn(cell, HOUR)).toBe(1);
  });

  it("keeps its count through one reading a year ahead, and opens the next window after", () => {
    const cell = newCell();
    addUnits(cell, openWindow(cell, 0, 10), 600);
    addUnits(cell, openWindow(cell, YEAR, YEAR), 1);
    expect(openWindow(cell, 0, 11)).toBe(0);
    expect(usedIn(cell, 0)).toBe(600);
    expect(openWindow(cell, HOUR, HOUR)).toBe(HOUR);
    expect(usedIn(cell, HOUR)).toBe(0);
  });

  it("keeps its count through one reading a year back", () => {
    const cell = newCell();
    addUnits(cell, openWindow(cell, YEAR, YEAR + 10), 600);
    addUnits(cell, openWindow(cell, 0, 10), 1);
    expect(openWindow(cell, YEAR, YEAR + 11)).toBe(YEAR);
    expect(usedIn(cell, YEAR)).toBe(600);
  });

  it("goes on with the window that is open when the next one would begin within it, until its end", () => {
    const cell = newCell();
    addUnits(cell, openWindow(cell, 0, 10), 600);
    cell.overAtSeconds = HOUR;
    // An edit has moved the windows: one begins at half past, another at ten to.
    expect(openWindow(cell, HOUR / 2, HOUR - 1)).toBe(0);
    expect(usedIn(cell, 0)).toBe(600);
    expect(openWindow(cell, HOUR / 2, HOUR)).toBe(HOUR / 2);
    expect(usedIn(cell, HOUR / 2)).toBe(0);
    cell.overAtSeconds = HOUR + HOUR / 2;
    expect(openWindow(cell, HOUR - 600, HOUR + 1)).toBe(HOUR / 2);
    expect(openWindow(cell, HOUR + 600, HOUR + HOUR / 2 - 1)).toBe(HOUR / 2);
    expect(openWindow(cell, HOUR + 600, HOUR + HOUR / 2)).toBe(HOUR + 600);
  });

  it("never counts below zero", () => {
    const cell = newCell();
    addUnits(cell, openWindow(cell, 0, 0), 3);
    addUnits(cell, 0, -5);
    expect(usedIn(cell, 0)).toBe(0);
  });
});

describe("shards", () => {
  it("drops cells that are over when a new one comes", () => {
    let shard: View = emptyShard();
    for (let i = 1; i <= 5; i++) {
      touch(shard, 1000);
      shard = addCell(shard, CELL_BYTES, counter(i, 9), 1000);
      last(shard).overAtSeconds = i < 4 ? 1001 : 9000;
    }
    expect(isShard(shard, CELL_BYTES)).toBe(true);
    for (let now = 1000; now <= 5000; now += 500) touch(shard, now);
    shard = addCell(shard, CELL_BYTES, counter(6, 9), 5000);
    expect(findCell(shard, CELL_BYTES, counter(1, 9)) == null).toBe(true);
    expect(findCell(shard, CELL_BYTES, counter(4, 9)) != null).toBe(true);
    expect(findCell(shard, CELL_BYTES, counter(6, 9)) != null).toBe(true);
    expect(lengthOf(shard)).toBe(24 + 3 * 56);
  });

  it("drops none while the clock is a year ahead for a moment, however many write then", () => {
    let shard: View = addCell(emptyShard(), CELL_BYTES, counter(1, 9), 0);
    last(shard).overAtSeconds = 3600;
    for (let now = 0; now <= 300; now += 10) touch(shard, now);
    for (let i = 0; i < 40; i++) {
      shard = addCell(shard, CELL_BYTES, counter(i + 2, 9), YEAR + i);
      last(shard).overAtSeconds = YEAR + HOUR;
      touch(shard, YEAR + i);
    }
    touch(shard, 310);
    shard = addCell(shard, CELL_BYTES, counter(100, 9), 311);
    expect(findCell(shard, CELL_BYTES, counter(1, 9)) != null).toBe(true);
    resetArena();
  });
});

describe("layouts in shared data", () => {
  it("are those that other versions of the module read and write", () => {
    expect(CELL_BYTES).toBe(56);
    expect(offsetof<WindowCell>("windowSeconds")).toBe(16);
    expect(offsetof<WindowCell>("used")).toBe(24);
    expect(offsetof<WindowCell>("olderWindowSeconds")).toBe(32);
    expect(offsetof<WindowCell>("olderUsed")).toBe(40);
    expect(offsetof<WindowCell>("overAtSeconds")).toBe(48);
    expect(<i32>offsetof<BucketCell>()).toBe(56);
    expect(offsetof<BucketCell>("arrivalNanoseconds")).toBe(16);
    expect(offsetof<BucketCell>("depthNanoseconds")).toBe(24);
    expect(offsetof<BucketCell>("olderArrivalNanoseconds")).toBe(32);
    expect(offsetof<BucketCell>("intervalNanoseconds")).toBe(40);
    expect(offsetof<BucketCell>("overAtSeconds")).toBe(48);
    expect(STOCK_BYTES).toBe(144);
    expect(offsetof<Stock>("endsAtNanoseconds")).toBe(16);
    expect(offsetof<Stock>("refusedForLimit")).toBe(112);
    expect(offsetof<Stock>("topUnits")).toBe(128);
    expect(offsetof<Stock>("overAtSeconds")).toBe(136);
  });

  it("take a cell of an older module, whose unused windows hold the lowest number", () => {
    const cell = newCell();
    cell.windowSeconds = i64.MIN_VALUE;
    cell.olderWindowSeconds = i64.MIN_VALUE;
    expect(openWindow(cell, HOUR, HOUR + 5)).toBe(HOUR);
    addUnits(cell, HOUR, 3);
    expect(usedIn(cell, HOUR)).toBe(3);
    expect(openWindow(cell, 0, HOUR - 5)).toBe(HOUR);
  });
});
