import { REASON_COUNT, Reason, isAllowed } from "../decision/decision";

/** Requests of one offer (a pair of API and plan) since the last flush. The record never moves. */
@unmanaged
export class OfferUsage {
  /** The first 64 bits of a digest of both names. */
  id: u64;
  /** Index among the records of its `Usage`. */
  number: i32;
  /** Number of tables in force that count here. */
  holders: i32;
  allowed: u32;
  refused: u32;
  next: OfferUsage | null;

  count(reason: Reason): void {
    if (isAllowed(reason)) this.allowed++;
    else this.refused++;
  }
}

/**
 * Counts of one policy's requests in this VM since the last flush. They belong to the policy's name, not to its tables: during an edit,
 * the old tables and the new ones count into the same records.
 */
export class Usage {
  readonly reasons: StaticArray<u32> = new StaticArray<u32>(REASON_COUNT);
  first: OfferUsage | null = null;
  private offerCount: i32 = 0;
  /** Counts all offers that have no record of their own. It is never read. */
  readonly rest: OfferUsage = this.newRecord();

  /**
   * The record of the offer with this id. The caller holds it until it decrements `holders`; after that it may be reused for another
   * offer. So there are never more records than the tables in force at one time needed.
   */
  hold(id: u64): OfferUsage {
    let unheld: OfferUsage | null = null;
    let known: OfferUsage | null = this.first;
    while (known != null) {
      if (known.id == id) {
        known.holders++;
        return known;
      }
      if (known.holders == 0) unheld = known;
      known = known.next;
    }
    const offer = unheld != null ? unheld : this.add();
    offer.id = id;
    offer.holders = 1;
    return offer;
  }

  private add(): OfferUsage {
    const offer = this.newRecord();
    offer.number = this.offerCount++;
    offer.next = this.first;
    this.first = offer;
    return offer;
  }

  private newRecord(): OfferUsage {
    const pointer = heap.alloc(offsetof<OfferUsage>());
    memory.fill(pointer, 0, offsetof<OfferUsage>());
    return changetype<OfferUsage>(pointer);
  }
}
