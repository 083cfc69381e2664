import { WindowKind } from "../tables/record";

/** A call to the ledger that is under way: what its answer will be about. */
@unmanaged
export class Call {
  consumer: u64;
  meter: u64;
  /** The policy's limit at the time of the call. */
  limit: i64;
  units: i64;
  sentAtNanoseconds: i64;
  window: WindowKind;
  /** The host's number for the call, and whose policy it serves; the binding's to set. */
  token: u32;
  account: i32;
  inUse: bool;
  /** Its root may be gone, and the answer with it: nobody waits for it, but it is booked if it comes. */
  released: bool;
}
