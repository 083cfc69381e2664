import { Rows } from "../bytes/rows";
import { ABSENT, View } from "../bytes/view";

/**
 * How an API, a route or an operation stands in its life; each refers to its record by number. What it does not say is zero, ABSENT, or a
 * time that never comes.
 */
@unmanaged
export class Lifecycle {
  /** Values of the response headers Deprecation, Sunset and Link. */
  deprecation: View;
  sunset: View;
  link: View;
  /** From this second on it answers 410. */
  retiredFrom: i64;
  retiredLink: View;
  retiredDetail: View;
  /** From the first second on, and until the second, it answers 503. */
  maintenanceFrom: i64;
  maintenanceUntil: i64;
  maintenanceDetail: View;
  /** A path, or a URL that ends with one. */
  redirectTo: View;
  redirectStatus: i32;
  mockStatus: i32;
  mockBody: View;
  firstMockHeader: i32;
  mockHeaderCount: i32;

  get isDeprecated(): bool {
    return this.deprecation != ABSENT;
  }

  get isMock(): bool {
    return this.mockStatus != 0;
  }
}

/** The lifecycle of whatever says nothing about it. */
export const NO_LIFECYCLE: i32 = 0;
/** A time that never comes. */
export const NEVER: i64 = i64.MAX_VALUE;

/** Lifecycles by number; the first is `NO_LIFECYCLE`. */
export class Lifecycles extends Rows<Lifecycle> {
  constructor() {
    super();
    this.add();
  }

  /** The number of a record that one API or route has for itself: `number`, or a new one in the place of `NO_LIFECYCLE`. */
  own(number: i32): i32 {
    if (number != NO_LIFECYCLE) return number;
    const lifecycle = this.add();
    lifecycle.retiredFrom = NEVER;
    lifecycle.maintenanceFrom = NEVER;
    lifecycle.maintenanceUntil = NEVER;
    return this.count - 1;
  }
}
