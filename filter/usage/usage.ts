import { NONE } from "../bytes/rows";
import { MAX_QUOTAS } from "../config/contract";
import { REASON_COUNT, Reason } from "../decision/decision";

/**
 * Requests of one API, or of one pair of API and plan, since the last flush. The record never moves.
 *
 *   fields │ a count for each reason (4 each) │ for each quota of the plan: exceeded (4 each) │ and: could not be counted (4 each)
 */
@unmanaged
export class UsageRow {
  /** First 64 bits of a digest of all names that its series have. */
  id: u64;
  next: UsageRow | null;
  /** Tables in force that count here. */
  holders: i32;
  /** Place among the rows of its `Usage`. */
  number: i32;
  isPending: bool;

  countAt(cell: i32): u32 {
    return load<u32>(changetype<usize>(this) + CELLS + ((<usize>cell) << 2));
  }

  add(cell: i32): void {
    const at = changetype<usize>(this) + CELLS + ((<usize>cell) << 2);
    store<u32>(at, load<u32>(at) + 1);
    this.isPending = true;
  }

  clear(cell: i32): void {
    store<u32>(changetype<usize>(this) + CELLS + ((<usize>cell) << 2), 0);
  }
}

/** Where the counts begin. */
const CELLS: usize = offsetof<UsageRow>();
/** Cells of one row: reasons first, then `EXCEEDED` and `UNCOUNTED` with the number of the quota. */
export const CELL_COUNT: i32 = REASON_COUNT + 2 * MAX_QUOTAS;
export const EXCEEDED: i32 = REASON_COUNT;
export const UNCOUNTED: i32 = REASON_COUNT + MAX_QUOTAS;
/** Where allowed requests are counted. */
export const ALLOWED: i32 = <i32>Reason.Allowed;

/** The reason that a cell counts. */
export function reasonOfCell(cell: i32): Reason {
  if (cell < EXCEEDED) return <Reason>cell;
  return cell < UNCOUNTED ? Reason.QuotaExceeded : Reason.QuotaUnavailable;
}

/** The number within the plan of the quota whose refusals a cell counts, or NONE. */
export function quotaOfCell(cell: i32): i32 {
  if (cell < EXCEEDED) return NONE;
  return cell < UNCOUNTED ? cell - EXCEEDED : cell - UNCOUNTED;
}

/**
 * What the requests of one policy came to in this VM since the last flush. It belongs to the policy's name, not to its tables: while an
 * edit is rolled out, the old tables and the new ones count into the same rows.
 */
export class Usage {
  private first: UsageRow | null = null;
  private rowCount: i32 = 0;
  /** Requests that no API covers. */
  readonly none: UsageRow = this.add();
  /** Requests of all APIs and pairs that have no row of their own. */
  readonly rest: UsageRow = this.add();
  /** The same for what only observing let pass. */
  readonly observedNone: UsageRow = this.add();
  readonly observedRest: UsageRow = this.add();

  /** Requests of all operations that have no row of their own; they are in `rest` or in the rows of their APIs too. */
  readonly restOfOperations: UsageRow = this.add();

  /** Percentages that quotas have reached which have no row of their own. */
  readonly restOfWarnings: UsageRow = this.add();

  constructor() {
    this.restOfWarnings.holders = 1;
    this.restOfOperations.holders = 1;
    this.none.holders = 1;
    this.rest.holders = 1;
    this.observedNone.holders = 1;
    this.observedRest.holders = 1;
  }

  /**
   * The row with this id, held until the caller counts `holders` down. Only when nobody holds it is a row given away, so there are as
   * many as the tables in force at one time had at most.
   */
  hold(id: u64): UsageRow {
    let unheld: UsageRow | null = null;
    let known: UsageRow | null = this.first;
    while (known != null) {
      if (known.id == id && known.holders > 0) {
        known.holders++;
        return known;
      }
      if (known.holders == 0) unheld = known;
      known = known.next;
    }
    const row = unheld != null ? unheld : this.add();
    row.id = id;
    row.holders = 1;
    return row;
  }

  private add(): UsageRow {
    const pointer = heap.alloc(CELLS + ((<usize>CELL_COUNT) << 2));
    memory.fill(pointer, 0, CELLS + ((<usize>CELL_COUNT) << 2));
    const row = changetype<UsageRow>(pointer);
    row.number = this.rowCount++;
    row.next = this.first;
    this.first = row;
    return row;
  }
}
