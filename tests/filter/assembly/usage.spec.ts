import { literal } from "../../../filter/bytes/view";
import { Reason } from "../../../filter/decision/decision";
import { MAX_COUNTED_OFFERS, Tables, holdUsage, releaseUsage } from "../../../filter/tables/tables";
import { Usage } from "../../../filter/usage/usage";

const ORDERS = literal("orders");
const STOCK = literal("stock");

/** Tables of one API that offers as many plans as asked. */
function tablesOf(api: u64, offers: i32): Tables {
  const tables = new Tables();
  tables.apis.add().name = api;
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
    first.count(Reason.Allowed);
    second.count(Reason.QuotaExceeded);
    expect(first.allowed).toBe(1);
    expect(first.refused).toBe(1);
  });

  it("keeps records apart while somebody holds them, and gives one away only then", () => {
    const usage = new Usage();
    const held = usage.hold(1);
    expect(usage.hold(2).number).toBe(1);
    held.holders--;
    const next = usage.hold(3);
    expect(next.number).toBe(0);
    expect(next.id).toBe(3);
    expect(usage.hold(1).number).toBe(2);
  });

  it("is given back by the tables that held it, so that edits need no new records", () => {
    const usage = new Usage();
    for (let edit = 0; edit < 100; edit++) {
      const tables = tablesOf(edit % 2 == 0 ? ORDERS : STOCK, 2);
      holdUsage(tables, usage);
      expect(tables.offers.at(0).usage.number < 2).toBe(true);
      expect(tables.offers.at(1).usage.number < 2).toBe(true);
      releaseUsage(tables);
      tables.free();
    }
  });

  it("has one common record for all pairs beyond the bound", () => {
    const usage = new Usage();
    const tables = tablesOf(ORDERS, MAX_COUNTED_OFFERS + 2);
    holdUsage(tables, usage);
    const common = changetype<usize>(usage.rest);
    expect(changetype<usize>(tables.offers.at(MAX_COUNTED_OFFERS - 1).usage)).not.toBe(common);
    expect(changetype<usize>(tables.offers.at(MAX_COUNTED_OFFERS).usage)).toBe(common);
    expect(changetype<usize>(tables.offers.at(MAX_COUNTED_OFFERS + 1).usage)).toBe(common);
    releaseUsage(tables);
    tables.free();
  });
});
