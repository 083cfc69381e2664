import { Rows } from "../bytes/rows";
import { findOf } from "./consumer";
import { Window } from "./quota";

/** From `at` on, the zone's clocks are `offsetSeconds` ahead of UTC. */
@unmanaged
export class ZoneChange {
  at: i64;
  offsetSeconds: i64;
}

/** What a config knows of a time zone: an offset, the changes after it in their order, and until when it knows them. */
@unmanaged
export class Zone {
  /** Before the first change. */
  offsetSeconds: i64;
  /** After it the last offset goes on. */
  untilSeconds: i64;
  firstChange: i32;
  changeCount: i32;
}

/**
 * Where the days, weeks, months and years of a plan or a consumer begin. A day of a month that has no such day is its last one. The
 * zone is an index, or NONE for UTC; until everything is read, its name in the document.
 */
@unmanaged
export class Anchors {
  zone: i32;
  /** The consumer, or NONE for a plan's. */
  consumer: i32;
  daySeconds: i32;
  /** 0 is Monday. */
  weekday: i32;
  monthDay: i32;
  /** 1 is January. */
  yearMonth: i32;
  yearDay: i32;
}

/** A window that begins where calendars say. */
@unmanaged
export class MovedWindow {
  /** Its length of a day, or one of `Calendar`. */
  plain: Window;
  /** The anchors of its plan, by index, or NONE. */
  anchors: i32;
  /** The address of the policy's `Calendars`. */
  calendars: usize;
  /** True where consumers share the counter, so that the calendar of one of them counts for nothing. */
  isShared: bool;
}

/** The calendars of one policy. Nothing moves once everything is read. */
export class Calendars {
  readonly zones: Rows<Zone> = new Rows<Zone>();
  readonly changes: Rows<ZoneChange> = new Rows<ZoneChange>();
  readonly ofPlans: Rows<Anchors> = new Rows<Anchors>();
  /** In the order of the consumers. */
  readonly ofConsumers: Rows<Anchors> = new Rows<Anchors>();
  readonly windows: Rows<MovedWindow> = new Rows<MovedWindow>();

  /** The index of a consumer's own anchors, or NONE. */
  findConsumer(consumer: i32): i32 {
    return findOf<Anchors>(this.ofConsumers, consumer);
  }

  /** How many zones are no longer known by then. */
  endedBy(nowSeconds: i64): i32 {
    let count = 0;
    for (let i = 0; i < this.zones.count; i++) {
      if (this.zones.at(i).untilSeconds <= nowSeconds) count++;
    }
    return count;
  }

  free(): void {
    this.zones.free();
    this.changes.free();
    this.ofPlans.free();
    this.ofConsumers.free();
    this.windows.free();
  }
}
