/**
 * Records that stand in chains, doubly linked, so that one joins and leaves in constant time. A record may be in several chains of
 * different kinds: for each kind it has a `Link`, at an offset that all of its functions are told.
 */
@unmanaged
export class Chain {
  /** Addresses of records; 0 in an empty chain, which is thus one of zero bytes. */
  first: usize;
  last: usize;
}

/** A record's place in a chain: the addresses of its neighbours, or 0. */
@unmanaged
class Link {
  previous: usize;
  next: usize;
}

export const CHAIN_BYTES: usize = 8;

// @ts-ignore: decorator
@inline
function linkOf(record: usize, offset: usize): Link {
  return changetype<Link>(record + offset);
}

export function nextIn(record: usize, offset: usize): usize {
  return linkOf(record, offset).next;
}

export function previousIn(record: usize, offset: usize): usize {
  return linkOf(record, offset).previous;
}

/** Puts a record behind another one of the chain; 0 puts it first. */
export function insertAfter(chain: Chain, other: usize, record: usize, offset: usize): void {
  const next = other == 0 ? chain.first : nextIn(other, offset);
  const link = linkOf(record, offset);
  link.previous = other;
  link.next = next;
  if (other == 0) chain.first = record;
  else linkOf(other, offset).next = record;
  if (next == 0) chain.last = record;
  else linkOf(next, offset).previous = record;
}

export function remove(chain: Chain, record: usize, offset: usize): void {
  const previous = previousIn(record, offset);
  const next = nextIn(record, offset);
  if (previous == 0) chain.first = next;
  else linkOf(previous, offset).next = next;
  if (next == 0) chain.last = previous;
  else linkOf(next, offset).previous = previous;
}

/**
 * A fixed number of records, taken and given back one by one. The memory is there from the first `take` on and stays, so nothing is
 * allocated while requests wait. A free record holds the address of the next one in its first four bytes.
 */
export class Pool {
  private isOpen: bool = false;
  private free: usize = 0;

  constructor(
    private readonly capacity: i32,
    private readonly recordBytes: usize,
  ) {}

  /** Address of a record of zero bytes, or 0 when all are in use. */
  take(): usize {
    if (!this.isOpen) this.open();
    const record = this.free;
    if (record == 0) return 0;
    this.free = load<usize>(record);
    memory.fill(record, 0, this.recordBytes);
    return record;
  }

  giveBack(record: usize): void {
    store<usize>(record, this.free);
    this.free = record;
  }

  private open(): void {
    this.isOpen = true;
    const base = heap.alloc(<usize>this.capacity * this.recordBytes);
    for (let i = this.capacity - 1; i >= 0; i--) this.giveBack(base + <usize>i * this.recordBytes);
  }
}
