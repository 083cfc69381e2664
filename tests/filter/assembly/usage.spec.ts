import { literal } from "../../../filter/bytes/view";
import { Reason } from "../../../filter/decision/decision";
import { Tables } from "../../../filter/tables/tables";
import { holdUsage, releaseUsage } from "../../../filter/tables/holders";
import { MAX_COUNTED } from "../../../filter/config/contract";
import { EXCEEDED, UNCOUNTED, Usage } from "../../../filter/usage/usage";

const ORDERS = literal("orders");
const STOCK = literal("stock");

/** Tables of one API that offers as many plans as asked. */
function tablesOf(api: u64, offers: i32): Tables {
  const tables = new Tables();
  tables.apis.add().name = api;
  tables.apis.at(0).id = api;
  tables.plans.add();
  for (let i = 0; i < offers; i++) tables.offers.add().planName = i % 2 == 0 ? ORDERS : STOCK;
  return tables;
}

describe("usage", () => {
  it("is one record for a pair, however many tables hold it", () => {
    const usage = new Usage();
    const first = usage.hold(7);
    const second = usage.hold(7);
    expect(changetype<usize>(first)).toBe(changetype<usize>(second));
    expect(first.holders).toBe(2);
    first.add(<i32>Reason.Allowed);
    second.add(EXCEEDED + 7);
    expect(first.countAt(<i32>Reason.Allowed)).toBe(1);
    expect(first.countAt(EXCEEDED + 7)).toBe(1);
    expect(first.countAt(UNCOUNTED)).toBe(0);
    expect(first.isPending).toBe(true);
  });

  it("keeps records apart while somebody holds them, and gives one away only then", () => {
    const usage = new Usage();
    const held = usage.hold(1);
    const number = held.number;
    expect(usage.hold(2).number).toBe(number + 1);
    held.holders--;
    const next = usage.hold(3);
    expect(next.number).toBe(number);
    expect(next.id).toBe(3);
    expect(usage.hold(1).number).toBe(number + 2);
  });

  it("is given back by the tables that held it, so that edits need no new records", () => {
    const usage = new Usage();
    for (let edit = 0; edit < 100; edit++) {
      const tables = tablesOf(edit % 2 == 0 ? ORDERS : STOCK, 2);
      holdUsage(tables, usage);
      // six rows are there from the beginning, and each of these needs three
      expect(tables.offers.at(0).usage.number < 9).toBe(true);
      expect(tables.offers.at(1).usage.number < 9).toBe(true);
      releaseUsage(tables);
      tables.free();
    }
  });

  it("has one common record for all pairs beyond the bound", () => {
    const usage = new Usage();
    const tables = tablesOf(ORDERS, MAX_COUNTED + 2);
    holdUsage(tables, usage);
    const common = changetype<usize>(usage.rest);
    expect(changetype<usize>(tables.offers.at(MAX_COUNTED - 1).usage)).not.toBe(common);
    expect(changetype<usize>(tables.offers.at(MAX_COUNTED).usage)).toBe(common);
    expect(changetype<usize>(tables.offers.at(MAX_COUNTED + 1).usage)).toBe(common);
    releaseUsage(tables);
    tables.free();
  });
});
