/**
 * Intrusive doubly linked lists: records join and leave in constant time. A record may be in chains of several kinds; it has one
 * `Link` for each kind, and callers pass that link's offset within the record.
 */
@unmanaged
export class Chain {
  /** Addresses of records, or 0: an empty chain is all zero bytes. */
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

/** Inserts a record after `other`, or at the front when `other` is 0. */
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
 * A fixed number of records, taken and given back one by one. The memory is allocated by the first `take` and kept, so nothing more is
 * allocated while requests wait. A free record holds the address of the next free one in its first four bytes.
 */
export class Pool {
  private isOpen: bool = false;
  private free: usize = 0;

  constructor(
    private readonly capacity: i32,
    private readonly recordBytes: usize,
  ) {}

  /** Address of a zeroed record, or 0 when all are in use. */
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
