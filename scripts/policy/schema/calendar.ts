import { closestMatch } from 'leven';
import { z } from 'zod';
import { quote } from '../secret.ts';
import { wholeFrom } from './value.ts';

export const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;

/** What `Intl` takes beside names, such as `+01:00`, begins with something else than a capital letter. */
const ZONE = /^[A-Z][A-Za-z0-9+_-]*(?:\/[A-Z0-9][A-Za-z0-9+_-]*){0,3}$/;
const ZONE_RULE = 'must be a time zone of the IANA database that this Node knows, such as Europe/Berlin';
const TIME = /^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/;
const TIME_RULE = 'must be a time of the day from 00:00 to 23:59, such as 06:00';
const DAY = /^(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$/;
const DAY_RULE = 'must be a month and a day such as 04-01, which some year has';
const LONGEST_NAME = 64;
const MAX_TYPOS = 3;

/** True for a zone that `Intl` has, spelled as the database spells it. */
function isZone(name: string): boolean {
  if (name.length > LONGEST_NAME || !ZONE.test(name)) return false;
  try {
    const { timeZone } = new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions();
    return timeZone === name || timeZone.toLowerCase() !== name.toLowerCase();
  } catch {
    // Intl knows no such zone
    return false;
  }
}

/** The zone that was probably meant, or nothing: one that ends so, or is spelled nearly so. */
function zoneHint(name: unknown): string {
  if (typeof name !== 'string' || name.length > LONGEST_NAME) return '';
  const zones = Intl.supportedValuesOf('timeZone');
  const last = (zone: string): string => zone.slice(zone.lastIndexOf('/') + 1).toLowerCase();
  const typed = name.trim().replace(/ /g, '_');
  const meant =
    zones.find((zone) => zone.toLowerCase() === typed.toLowerCase()) ??
    zones.find((zone) => last(zone) === typed.toLowerCase()) ??
    closestMatch(typed, zones, { maxDistance: Math.min(MAX_TYPOS, Math.floor(typed.length / 4)) });
  return meant === undefined ? '' : `; did you mean ${quote(meant)}?`;
}

/** Every year has the day, or at least leap years do. */
function isDay(text: string): boolean {
  const [month, day] = text.split('-').map(Number) as [number, number];
  return new Date(Date.UTC(2024, month - 1, day)).getUTCMonth() === month - 1;
}

const fields = z
  .strictObject({
    zone: z
      .string()
      .refine(isZone, { error: ({ input }) => ZONE_RULE + zoneHint(input) })
      .meta({ description: 'A time zone of the IANA database. Default: UTC.', examples: ['Europe/Berlin'] })
      .optional(),
    dayBegins: z
      .string({ error: TIME_RULE })
      .regex(TIME, { error: TIME_RULE })
      .meta({
        description: "When a day begins, on the zone's clock, and with it weeks, months and years. Default: 00:00.",
      })
      .optional(),
    weekBegins: z.enum(WEEKDAYS).meta({ description: 'The first day of a week. Default: monday.' }).optional(),
    monthBegins: wholeFrom(
      1,
      31,
      'The day on which a month begins; in a shorter month, on its last day. Default: 1.',
    ).optional(),
    yearBegins: z
      .string({ error: DAY_RULE })
      .regex(DAY, { error: DAY_RULE })
      .refine(isDay, { error: DAY_RULE })
      .meta({
        description: 'Month and day on which a year begins; 02-29 is the 28th in years without it. Default: 01-01.',
        examples: ['04-01'],
      })
      .optional(),
  })
  .refine((calendar) => Object.keys(calendar).length > 0, {
    error: 'must hold a field; leave "calendar" out for the calendar in UTC',
  });

/** Where the days, weeks, months and years of a plan or a consumer begin. */
export function calendar(description: string) {
  return fields.meta({ description, minProperties: 1 }).optional();
}

export type Calendar = z.output<typeof fields>;
