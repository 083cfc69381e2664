/**
 * A slow model of a calendar's windows, over `Intl` alone: it looks at the zone's clock step by step until it shows the beginning of a
 * window, or something later. Nothing of the compiled tables or of the module's arithmetic is in it.
 */
export interface CalendarFields {
  readonly zone: string;
  readonly dayBegins: string;
  /** 1 is Monday. */
  readonly weekBegins: number;
  readonly monthBegins: number;
  readonly yearBegins: string;
}

export const CALENDAR_WINDOWS = ['day', 'week', 'month', 'year'] as const;
export type CalendarWindow = (typeof CALENDAR_WINDOWS)[number];

const HOUR = 3600;
const STEP = 600;
/** How long before a time on the clock is shown for good it may have been shown first, and then been set back. */
const SHOWN_TWICE = 3 * HOUR;

export class CalendarModel {
  readonly #format: Intl.DateTimeFormat;
  readonly #instants = new Map<number, number>();

  constructor(private readonly fields: CalendarFields) {
    this.#format = new Intl.DateTimeFormat('sv-SE', { timeZone: fields.zone, dateStyle: 'short', timeStyle: 'medium' });
  }

  /** What the zone's clock shows, in seconds as if it were UTC. */
  shownAt(second: number): number {
    return Date.parse(`${this.#format.format(second * 1000).replace(' ', 'T')}Z`) / 1000;
  }

  /** First second of the window that contains `second`, and the first after it. */
  windowAt(window: CalendarWindow, second: number): { start: number; end: number } {
    // days on the calendar around the present one, each the beginning of a window
    const days = this.#beginnings(window, new Date(this.shownAt(second) * 1000));
    const instants = days.map((day) => this.#firstShowing(day));
    const at = instants.findLastIndex((instant) => instant <= second);
    return { start: instants[at]!, end: instants[at + 1]! };
  }

  #beginnings(window: CalendarWindow, shown: Date): number[] {
    const [hours, minutes] = this.fields.dayBegins.split(':').map(Number) as [number, number];
    const [year, month, date] = [shown.getUTCFullYear(), shown.getUTCMonth(), shown.getUTCDate()];
    const around = [-2, -1, 0, 1, 2];
    return around
      .map((step): number => {
        switch (window) {
          case 'day':
            return Date.UTC(year, month, date + step);
          case 'week':
            return Date.UTC(year, month, date - ((shown.getUTCDay() + 7 - this.fields.weekBegins) % 7) + 7 * step);
          case 'month':
            return clamped(year, month + step, this.fields.monthBegins);
          case 'year': {
            const [of, day] = this.fields.yearBegins.split('-').map(Number) as [number, number];
            return clamped(year + step, of - 1, day);
          }
        }
      })
      .map((ms) => ms / 1000 + hours * HOUR + minutes * 60);
  }

  /** The first second at which the clock shows `time` or later. */
  #firstShowing(time: number): number {
    let found = this.#instants.get(time);
    if (found !== undefined) return found;
    found = time - 16 * HOUR;
    while (this.shownAt(found) < time) found += STEP;
    found -= SHOWN_TWICE;
    while (this.shownAt(found) < time) found += 60;
    while (this.shownAt(found - 1) >= time) found--;
    this.#instants.set(time, found);
    return found;
  }
}

function clamped(year: number, month: number, day: number): number {
  const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return Date.UTC(year, month, Math.min(day, last));
}
