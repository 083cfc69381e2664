/** A slow model of a quota: a list of every allowed request with the start of its window. No leases, no cells. */
export class QuotaModel {
  private readonly allowed: { consumer: string; window: number }[] = [];

  constructor(
    readonly limit: number,
    private readonly windowStart: (ms: number) => number,
  ) {}

  used(consumer: string, ms: number): number {
    const window = this.windowStart(ms);
    return this.allowed.filter((entry) => entry.consumer === consumer && entry.window === window).length;
  }

  note(consumer: string, ms: number): void {
    this.allowed.push({ consumer, window: this.windowStart(ms) });
  }
}

/** The calendar as `Date` has it: another way to the same windows. */
export const WINDOW_STARTS: Record<string, (ms: number) => number> = {
  second: (ms) => new Date(ms).setUTCMilliseconds(0),
  minute: (ms) => new Date(ms).setUTCSeconds(0, 0),
  hour: (ms) => new Date(ms).setUTCMinutes(0, 0, 0),
  day: (ms) => new Date(ms).setUTCHours(0, 0, 0, 0),
  week: (ms) => {
    const day = new Date(ms);
    return new Date(day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7))).setUTCHours(0, 0, 0, 0);
  },
  month: (ms) => Date.UTC(new Date(ms).getUTCFullYear(), new Date(ms).getUTCMonth(), 1),
  year: (ms) => Date.UTC(new Date(ms).getUTCFullYear(), 0, 1),
  '10s': fromTheEpoch(10),
  '90m': fromTheEpoch(5400),
  '7h': fromTheEpoch(25_200),
  '100d': fromTheEpoch(8_640_000),
};

function fromTheEpoch(seconds: number): (ms: number) => number {
  return (ms) => ms - (ms % (seconds * 1000));
}
