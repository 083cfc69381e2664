import { isSameInAnyOrder, type CalendarConfig, type PluginConfig, type ZoneConfig } from '../policy/index.ts';
import type { Difference } from './difference.ts';

/** What differs in where windows begin: of plans and consumers that both have, and in what is known of their zones. */
export function calendarDifferences(old: PluginConfig, next: PluginConfig): Difference[] {
  return [
    ...changes('plan', old.plans, next.plans, 'in UTC'),
    ...changes('consumer', old.consumers, next.consumers, "its plans'"),
    ...zoneChanges(old.zones ?? [], next.zones ?? []),
  ];
}

interface HasCalendar {
  readonly name: string;
  readonly calendar?: CalendarConfig;
}

function changes(
  kind: 'plan' | 'consumer',
  old: readonly HasCalendar[],
  next: readonly HasCalendar[],
  none: string,
): Difference[] {
  const former = new Map(old.map((one) => [one.name, one]));
  return next.flatMap(({ name, calendar }): Difference[] => {
    const before = former.get(name);
    if (before === undefined || isSameInAnyOrder(before.calendar, calendar)) return [];
    const text = (one: CalendarConfig | undefined): string => (one === undefined ? none : calendarText(one));
    return [
      {
        subject: `${kind} ${name}`,
        text: `calendar ${text(before.calendar)} → ${text(calendar)}: windows that are open go on until their end`,
        effects: [],
      },
    ];
  });
}

const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

/** `Europe/Berlin, days from 06:00, months from 15` */
function calendarText(calendar: CalendarConfig): string {
  const { zone, dayBeginsMinutes, weekBegins, monthBegins, yearBeginsMonth, yearBeginsDay } = calendar;
  const two = (number: number): string => String(number).padStart(2, '0');
  return [
    zone ?? 'UTC',
    ...(dayBeginsMinutes === undefined
      ? []
      : [`days from ${two(Math.floor(dayBeginsMinutes / 60))}:${two(dayBeginsMinutes % 60)}`]),
    ...(weekBegins === undefined ? [] : [`weeks from ${WEEKDAYS[weekBegins - 1]}`]),
    ...(monthBegins === undefined ? [] : [`months from ${monthBegins}`]),
    ...(yearBeginsMonth === undefined && yearBeginsDay === undefined
      ? []
      : [`years from ${two(yearBeginsMonth ?? 1)}-${two(yearBeginsDay ?? 1)}`]),
  ].join(', ');
}

function zoneChanges(old: readonly ZoneConfig[], next: readonly ZoneConfig[]): Difference[] {
  const former = new Map(old.map((zone) => [zone.name, zone]));
  return next.flatMap((zone): Difference[] => {
    const before = former.get(zone.name);
    if (before === undefined || isSameInAnyOrder(before, zone)) return [];
    const subject = `zone ${zone.name}`;
    const until = Math.min(before.until, zone.until);
    return [
      ...(before.until === zone.until
        ? []
        : [{ subject, text: `known until ${day(zone.until)} (was: ${day(before.until)})`, effects: [] }]),
      ...(hasOtherChanges(before, zone, until)
        ? [{ subject, text: 'changes its clock at other times than was known', effects: [] }]
        : []),
    ];
  });
}

/** What both tables cover: from the later beginning on, which is when the later of their first years begins. */
function hasOtherChanges(old: ZoneConfig, next: ZoneConfig, until: number): boolean {
  const from = Math.max(old.changes?.[0]?.at ?? 0, next.changes?.[0]?.at ?? 0);
  const within = ({ changes = [] }: ZoneConfig): string =>
    JSON.stringify(
      changes.filter(({ at }) => at >= from && at < until).map(({ at, offsetSeconds }) => [at, offsetSeconds]),
    );
  return within(old) !== within(next);
}

function day(second: number): string {
  return new Date(second * 1000).toISOString().slice(0, 10);
}
