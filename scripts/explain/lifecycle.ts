import { epochSeconds } from '../policy/schema/value.ts';
import type { Lifecycle } from '../policy/schema/lifecycle.ts';

/** What an API, an operation or a route says of its life, and whether that holds at the time of the request. */
export interface LifecycleStory {
  readonly of: 'API' | 'operation' | 'route';
  readonly is: 'deprecated' | 'retired' | 'maintenance' | 'redirect' | 'mock';
  readonly when: 'now' | 'not yet' | 'over';
  /** As the policy has it: times, links, where a redirect leads, a mock's status. */
  readonly says: Readonly<Record<string, string | number>>;
}

export interface Living {
  readonly of: LifecycleStory['of'];
  readonly life: Lifecycle;
}

/** In the order in which the request came to them. Of several deprecations and mocks only the last one counts, so it is the one told. */
export function lifecycleStories(living: readonly Living[], atMs: number): LifecycleStory[] {
  const told = living.flatMap(({ of, life }) => storiesOf(of, life, Math.floor(atMs / 1000)));
  const isReplaced = ({ is }: LifecycleStory, at: number): boolean =>
    (is === 'deprecated' || is === 'mock') && told.slice(at + 1).some((later) => later.is === is);
  return told.filter((one, at) => !isReplaced(one, at));
}

function storiesOf(of: Living['of'], life: Lifecycle, now: number): LifecycleStory[] {
  const { deprecated, retired, maintenance, redirect, mock } = life;
  const hasCome = (time: string | undefined): boolean => time === undefined || epochSeconds(time)! <= now;
  const story = (
    is: LifecycleStory['is'],
    when: LifecycleStory['when'],
    says: Record<string, string | number | undefined>,
  ): LifecycleStory => ({
    of,
    is,
    when,
    says: Object.fromEntries(Object.entries(says).filter(([, value]) => value !== undefined)) as LifecycleStory['says'],
  });
  return [
    ...(deprecated === undefined
      ? []
      : [story('deprecated', hasCome(deprecated.since) ? 'now' : 'not yet', { ...deprecated })]),
    ...(retired === undefined ? [] : [story('retired', hasCome(retired.from) ? 'now' : 'not yet', { ...retired })]),
    ...(maintenance === undefined ? [] : [story('maintenance', whenOf(maintenance, hasCome), { ...maintenance })]),
    ...(redirect === undefined ? [] : [story('redirect', 'now', { ...redirect })]),
    ...(mock === undefined ? [] : [story('mock', 'now', { status: mock.status })]),
  ];
}

function whenOf(
  { from, until }: NonNullable<Lifecycle['maintenance']>,
  hasCome: (time: string | undefined) => boolean,
): LifecycleStory['when'] {
  if (!hasCome(from)) return 'not yet';
  return until !== undefined && hasCome(until) ? 'over' : 'now';
}
