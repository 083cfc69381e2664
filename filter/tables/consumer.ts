import { NONE, Rows } from "../bytes/rows";
import { Name, View, viewOf } from "../bytes/view";

/** The term without dates. */
export const ALWAYS: i32 = 0;

/** 24 bytes. */
@unmanaged
export class Consumer {
  /** First 64 bits of a digest of the name. */
  id: u64;
  nameText: Name;
  /** The plan that it has on every API that offers it, or NONE; until everything is read, the plan's name in the document. */
  plan: i32;
  firstSubscription: i32;
  subscriptionCount: i32;

  get name(): View {
    return viewOf(this.nameText);
  }
}

/** The scopes of a consumer that has some: a bit for each. In the order of the consumers. */
@unmanaged
export class Grant {
  scopes: u64;
  consumer: i32;
}

/** The group of a consumer that has one. In the order of the consumers. */
@unmanaged
export class Membership {
  /** First 64 bits of a digest of the group's name: takes the place of the consumer's id in counters per group. */
  group: u64;
  nameText: Name;
  consumer: i32;

  get name(): View {
    return viewOf(this.nameText);
  }
}

/** The index of what a consumer has among records in the consumers' order, or NONE: most consumers have none of its kind. */
export function findOf<T>(rows: Rows<T>, consumer: i32): i32 {
  let low = 0;
  let high = rows.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ownerOf<T>(rows.at(middle)) < consumer) low = middle + 1;
    else high = middle;
  }
  return low < rows.count && ownerOf<T>(rows.at(low)) == consumer ? low : NONE;
}

// @ts-ignore: decorator
@inline
function ownerOf<T>(record: T): i32 {
  // @ts-ignore: every such record has the field
  return record.consumer;
}

/** 24 bytes. Until everything is read, `api` and `plan` are names in the document. */
@unmanaged
export class Subscription {
  api: i32;
  plan: i32;
  offer: i32;
  term: i32;
  firstLimit: i32;
  limitCount: u16;
  /** The plan's quotas count in counters of the plan, apart from those of the consumer's other plans. */
  ownCounters: bool;
  padding: u8;
}

/** When a key or a subscription is valid. Most have no dates and share the term `ALWAYS`. */
@unmanaged
export class Term {
  /** The first second in which it is valid, and the first in which it no longer is; since the epoch. */
  from: i64;
  until: i64;
  /** Revoked or paused. */
  suspended: bool;
  /** Of a key of which there is more to look at: the number of its guard, from 1 on, and `from` is never reached. Otherwise 0. */
  guard: i32;
}

/** Terms by number; the first is `ALWAYS`. */
export class Terms extends Rows<Term> {
  constructor() {
    super();
    this.addEndless();
  }

  /** The index of a term that only one record uses, which has `term` so far: a new one if that is the shared one. */
  own(term: i32): i32 {
    return term != ALWAYS ? term : this.addEndless();
  }

  private addEndless(): i32 {
    this.add().until = i64.MAX_VALUE;
    return this.count - 1;
  }
}

/** A limit override: replaces the plan's limit for one subscription. */
@unmanaged
export class LimitOverride {
  /** Of a bucket, once everything is read: the index of a quota that has its limit and burst. */
  limit: i64;
  /** Index of the quota; until everything is read, its name in the document. */
  quota: i32;
}

/** The burst of a limit override of a bucket that has its own. In the order of the overrides. */
@unmanaged
export class BurstOverride {
  burst: i64;
  limit: i32;
}
