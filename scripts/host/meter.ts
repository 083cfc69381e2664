interface Counter {
  count: number;
}

/** What crossed the border between host and guest: the exact costs, whatever the machine. */
export class Meter {
  hostCalls = 0;
  /** Host calls that re-entered the guest through malloc. */
  valueReturning = 0;
  /** Calls into the guest's exports, malloc included. */
  entries = 0;
  bytesToGuest = 0;
  bytesFromGuest = 0;
  private readonly counters = new Map<string, Counter>();

  /** Counts the calls of one function; to be asked for once. */
  counter(name: string): Counter {
    const counter = this.counters.get(name) ?? { count: 0 };
    this.counters.set(name, counter);
    return counter;
  }

  /** Calls by function, those that were made. */
  get calls(): Map<string, number> {
    return new Map(
      [...this.counters].flatMap(([name, { count }]): [string, number][] => (count === 0 ? [] : [[name, count]])),
    );
  }

  reset(): void {
    this.hostCalls = 0;
    this.valueReturning = 0;
    this.entries = 0;
    this.bytesToGuest = 0;
    this.bytesFromGuest = 0;
    for (const counter of this.counters.values()) counter.count = 0;
  }

  /** One line a test can print. */
  describe(): string {
    const names = [...this.calls].map(([name, count]) => (count === 1 ? name : `${name} ×${count}`));
    return (
      `${this.hostCalls} host calls (${this.valueReturning} value-returning), ${this.entries} V8 entries, ` +
      `${this.bytesToGuest} B in, ${this.bytesFromGuest} B out: ${names.join(', ')}`
    );
  }
}
