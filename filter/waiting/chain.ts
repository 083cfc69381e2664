import { NONE } from "../bytes/rows";
import { Pool } from "./pool";

/** Where a chain begins and ends, by positions in its pool. */
@unmanaged
export class Ends {
  first: i32;
  last: i32;
}

/** A record's place in a chain. */
@unmanaged
export class Link {
  previous: i32;
  next: i32;
}

export function clearEnds(ends: Ends): void {
  ends.first = NONE;
  ends.last = NONE;
}

/**
 * Chains of one kind over the records of a pool, doubly linked: a record joins and leaves in constant time. `link` is the offset
 * of the record's `Link` for chains of this kind.
 */
export class Chains<T> {
  constructor(
    private readonly pool: Pool<T>,
    private readonly link: usize,
  ) {}

  // @ts-ignore: decorator
  @inline
  private linkOf(index: i32): Link {
    return changetype<Link>(changetype<usize>(this.pool.at(index)) + this.link);
  }

  next(index: i32): i32 {
    return this.linkOf(index).next;
  }

  previous(index: i32): i32 {
    return this.linkOf(index).previous;
  }

  append(ends: Ends, index: i32): void {
    this.insertAfter(ends, ends.last, index);
  }

  /** Puts the record behind another one; NONE puts it first. */
  insertAfter(ends: Ends, other: i32, index: i32): void {
    const next = other == NONE ? ends.first : this.linkOf(other).next;
    const link = this.linkOf(index);
    link.previous = other;
    link.next = next;
    if (other == NONE) ends.first = index;
    else this.linkOf(other).next = index;
    if (next == NONE) ends.last = index;
    else this.linkOf(next).previous = index;
  }

  remove(ends: Ends, index: i32): void {
    const link = this.linkOf(index);
    if (link.previous == NONE) ends.first = link.next;
    else this.linkOf(link.previous).next = link.next;
    if (link.next == NONE) ends.last = link.previous;
    else this.linkOf(link.next).previous = link.previous;
  }
}
