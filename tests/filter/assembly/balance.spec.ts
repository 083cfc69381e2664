import { Balances } from "../../../filter/quota/balances";
import { QuotaKind } from "../../../filter/tables/quota";

/** A small generator of its own, so that a failure can be repeated (SplitMix64). */
let state: u64 = 20261121;
function random(): u64 {
  state += 0x9e3779b97f4a7c15;
  let z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

describe("balances", () => {
  it("finds each counter again after growth and removals in any order", () => {
    const balances = new Balances();
    const kept = new Map<u64, i64>();
    for (let round = 0; round < 40; round++) {
      for (let i = 0; i < 50; i++) {
        const id = (random() % 4096) + 1;
        balances.reserve(1);
        const balance = balances.open(id, id * 7, QuotaKind.Local);
        expect(balance.left).toBe(kept.has(id) ? kept.get(id) : 0);
        balance.left = <i64>random();
        kept.set(id, balance.left);
      }
      for (let looked = 0; looked < 64; looked++) {
        const balance = balances.next(64);
        if (balance == null) break;
        if (random() % 3 == 0) {
          kept.delete(balance.consumerId);
          balances.removeLast();
        }
      }
      expect(balances.count).toBe(kept.size);
    }
    const ids = kept.keys();
    for (let i = 0; i < ids.length; i++) {
      balances.reserve(1);
      expect(balances.open(ids[i], ids[i] * 7, QuotaKind.Local).left).toBe(kept.get(ids[i]));
    }
  });

  it("is as small as its balances again, some rounds after the others have gone", () => {
    const balances = new Balances();
    for (let id: u64 = 1; id <= 10_000; id++) {
      balances.reserve(1);
      balances.open(id, id * 7, QuotaKind.Local).left = <i64>id;
    }
    const most = balances.slots;
    for (let round = 0; round < 20; round++) {
      while (true) {
        const balance = balances.next(1 << 20);
        if (balance == null) break;
        if (balance.consumerId > 100) balances.removeLast();
      }
      balances.shrink();
    }
    expect(most).toBe(16384);
    expect(balances.count).toBe(100);
    expect(balances.slots).toBe(512);
    for (let id: u64 = 1; id <= 100; id++) expect(balances.open(id, id * 7, QuotaKind.Local).left).toBe(<i64>id);
  });
});
