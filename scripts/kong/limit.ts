import { MAX_WINDOW_SECONDS, WINDOW_UNITS } from '../contract/table.ts';
import { member } from '../openapi/spot.ts';
import type { KongPlugin } from './document.ts';
import { isFilledInLater, LATER_RULE, type KongReading } from './entity.ts';

export interface WrittenQuota {
  readonly limit: number;
  readonly window: string;
  readonly per?: 'api';
}

export type Quotas = Readonly<Record<string, WrittenQuota>>;

/** What a plugin limits: requests in each of some windows, of a consumer. */
export interface Limit {
  readonly limit: number;
  readonly window: string;
}

export const LIMITERS = ['rate-limiting', 'rate-limiting-advanced'] as const;

const PERIODS = ['second', 'minute', 'hour', 'day', 'month', 'year'] as const;

const WHOSE: Readonly<Record<string, string>> = {
  ip: 'counts by address, whoever calls; a quota that is "per: address" counts the addresses of each consumer apart',
  header: 'counts by a header, which no quota does: Envoy has local rate limits for that',
  path: 'counts by path, which no quota does: Envoy has local rate limits for that',
  service: 'counts all callers together, which no quota does: Envoy has local rate limits for that',
  route: 'counts all callers together, which no quota does: Envoy has local rate limits for that',
  'consumer-group': 'counts all consumers of a group together, which no quota does',
};

/** The limits of a plugin, each reported loss once; none where it does not count by consumer. */
export function limitsOf(plugin: KongPlugin, reading: KongReading): Limit[] {
  const { config } = plugin;
  const isAdvanced = plugin.name === 'rate-limiting-advanced';
  const field = isAdvanced ? 'identifier' : 'limit_by';
  const by = reading.string(config, field) ?? 'consumer';
  if (by !== 'consumer' && by !== 'credential') {
    reading.lose(
      [...config.pointer, field],
      `no quota is made of it: it ${WHOSE[by] ?? 'counts by something else than the consumer'}`,
    );
    return [];
  }
  if (by === 'credential')
    reading.lose([...config.pointer, field], 'is counted by consumer: all keys of one share the limit');
  if (isAdvanced && member(config.fields, 'compound_identifier'))
    reading.lose([...config.pointer, 'compound_identifier'], 'is not looked at: quotas count by consumer');
  reportCounting(plugin, isAdvanced ? 'strategy' : 'policy', reading);
  reportReply(plugin, reading);
  return isAdvanced ? advanced(plugin, reading) : usual(plugin, reading);
}

function usual({ config, pointer }: KongPlugin, reading: KongReading): Limit[] {
  const limits = PERIODS.flatMap((period) => {
    const limit = limitAt(
      reading.number(config, period),
      [...config.pointer, period],
      reading,
      member(config.fields, period),
    );
    return limit === null ? [] : [{ limit, window: period }];
  });
  if (limits.length === 0) reading.lose(pointer, 'limits nothing that could be read');
  return limits;
}

function advanced({ config, pointer }: KongPlugin, reading: KongReading): Limit[] {
  const [limits, windows] = ['limit', 'window_size'].map((field) =>
    reading.list(member(config.fields, field), [...config.pointer, field]),
  ) as [readonly unknown[], readonly unknown[]];
  if (limits.length === 0 || limits.length !== windows.length) {
    reading.lose(pointer, 'no quota is made of it: it must have as many limits as windows');
    return [];
  }
  if ((reading.string(config, 'window_type') ?? 'sliding') === 'sliding')
    reading.lose(
      [...config.pointer, 'window_type'],
      'is counted in fixed windows: around the end of one, twice the limit can pass',
    );
  return limits.flatMap((given, index) => {
    const at = [...config.pointer, 'limit', index];
    const limit = limitAt(typeof given === 'number' ? given : undefined, at, reading, given);
    const seconds = windows[index];
    const window = typeof seconds === 'number' ? windowOf(seconds) : null;
    if (window === null)
      reading.lose(
        [...config.pointer, 'window_size', index],
        `no quota is made of it: a window is a whole number of seconds, at most ${MAX_WINDOW_SECONDS}`,
      );
    return limit === null || window === null ? [] : [{ limit, window }];
  });
}

/** Kong lets a request pass while anything is left, so parts count as a whole. */
function limitAt(
  number: number | undefined,
  pointer: readonly (string | number)[],
  reading: KongReading,
  given: unknown,
): number | null {
  if (number !== undefined && number > 0 && number <= Number.MAX_SAFE_INTEGER) return Math.ceil(number);
  if (given === undefined || given === null) return null;
  const isLater = typeof given === 'string' && isFilledInLater(given);
  reading.lose(pointer, `no quota is made of it: it ${isLater ? LATER_RULE : 'must be a number above 0'}`);
  return null;
}

const NAMED: Readonly<Record<number, string>> = { 1: 'second', 60: 'minute', 3600: 'hour', 86_400: 'day' };

function windowOf(seconds: number): string | null {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_WINDOW_SECONDS) return null;
  const named = NAMED[seconds];
  if (named !== undefined) return named;
  const [unit, length] = Object.entries(WINDOW_UNITS)
    .filter(([, one]) => seconds % one === 0)
    .at(-1)!;
  return `${seconds / length}${unit}`;
}

function reportCounting({ config }: KongPlugin, field: string, reading: KongReading): void {
  const where = reading.string(config, field) ?? 'local';
  if (where === 'local') return;
  const failure = reading.flag(config, 'fault_tolerant', true) ? ' and "onUnavailable: allow"' : '';
  reading.lose(
    [...config.pointer, field],
    `is counted by each Envoy for itself: for one count of all, add a rateLimitService to the policy, and "scope: mesh"${failure} to the quota`,
  );
}

function reportReply({ config }: KongPlugin, reading: KongReading): void {
  const at = (field: string): unknown => member(config.fields, field);
  const code = at('error_code');
  if (typeof code === 'number' && code !== 429)
    reading.note([...config.pointer, 'error_code'], 'what exceeds a quota is refused with 429');
  if (at('error_message') !== undefined && at('error_message') !== 'API rate limit exceeded')
    reading.note([...config.pointer, 'error_message'], 'refusals have the words of Tollgate');
  if (at('hide_client_headers') === true)
    reading.note([...config.pointer, 'hide_client_headers'], 'callers see what is left of their quotas');
}
