import { z } from 'zod';
import type { Fact } from '../../contract/pluginConfig.ts';
import {
  EXPOSED_HEADERS,
  IDENTITY_HEADERS,
  LOG_FIELDS,
  MAX_WINDOW_SECONDS,
  RATE_LIMIT_HEADERS,
  WINDOW_UNITS,
  X_RATELIMIT_HEADERS,
} from '../../contract/table.ts';
import { changeableHeader, tellingHeader } from './header.ts';

/** What others get to see of a decision: upstreams, callers and access logs. */

export const FACTS = Object.keys(IDENTITY_HEADERS) as Fact[];
/** What upstreams are told where a policy says nothing. */
const USUAL: readonly Fact[] = ['consumer', 'plan', 'route'];

/** Headers of facts, by fact; those that share a name share a header. */
export type IdentityHeaders = { [F in Fact]?: string | undefined };

const LOG_RULE = `must be "all" or a list of some of ${LOG_FIELDS.join(', ')}`;

/** `all` is written out, so that nothing further down knows of it. */
const logFields = z
  .union(
    [
      z
        .string()
        .regex(/^all$/, { error: LOG_RULE })
        .transform(() => [...LOG_FIELDS]),
      z
        .array(z.enum(LOG_FIELDS))
        .min(1, { error: LOG_RULE })
        .refine((fields) => new Set(fields).size === fields.length, { error: 'must name each field once' })
        .meta({ uniqueItems: true }),
    ],
    { error: LOG_RULE },
  )
  .meta({ description: 'Fields of the decision that access logs can show one by one, or "all" of them.' });

export const accessLog = z
  .strictObject({
    line: z
      .boolean({ error: 'must be true or false' })
      .meta({ description: 'false: no line, so no call to the host for it. Default: true.' })
      .optional(),
    fields: logFields.optional(),
  })
  .refine((log) => Object.keys(log).length > 0, { error: 'must have "line" or "fields"' });

const IDENTITY_RULE = `must be a list of some of ${FACTS.join(', ')}, or a mapping from them to headers`;

function identityHeader(fact: Fact) {
  return tellingHeader(IDENTITY_HEADERS[fact])
    .meta({ description: `The header that tells the upstream the ${fact}.` })
    .optional();
}

const byFact = z.strictObject({
  consumer: identityHeader('consumer'),
  plan: identityHeader('plan'),
  route: identityHeader('route'),
  keyId: identityHeader('keyId'),
} satisfies Record<Fact, unknown>);

/** A list stands for the facts' own headers. */
export const identityHeaders = z.union(
  [
    z
      .array(z.enum(FACTS))
      .refine((facts) => new Set(facts).size === facts.length, { error: 'must name each of them once' })
      .meta({ uniqueItems: true })
      .transform((facts): IdentityHeaders =>
        Object.fromEntries(FACTS.filter((fact) => facts.includes(fact)).map((fact) => [fact, IDENTITY_HEADERS[fact]])),
      ),
    byFact,
  ],
  { error: IDENTITY_RULE },
);

export const rateLimitHeaders = z.enum(RATE_LIMIT_HEADERS);

const BEFORE_RULE = 'must be a length from 1m to 366d, such as 14d';
/** Headers of answers that mean something already, to Tollgate or to HTTP. */
const TAKEN = new Set<string>([
  ...EXPOSED_HEADERS,
  ...X_RATELIMIT_HEADERS,
  ...['deprecation', 'sunset', 'link', 'location', 'allow', 'vary', 'expires', 'date', 'cache-control', 'set-cookie'],
  ...['content-type', 'content-encoding', 'etag', 'age'],
]);

/** The response header that tells the holder of a key that it ends soon. */
export const keyExpiryWarning = z.strictObject({
  header: changeableHeader()
    .refine((name) => !TAKEN.has(name) && !name.startsWith('access-control-'), {
      error: 'must be a header that means nothing else in an answer, such as x-key-expires',
    })
    .meta({ description: 'The response header that has the end of the key, as @ and seconds since 1970.' }),
  before: z
    .string({ error: BEFORE_RULE })
    .refine((text) => beforeSeconds(text) !== null, { error: BEFORE_RULE })
    .meta({
      description: 'How long before the end of a key its holder is told: 1m to 366d.',
      pattern: '^[1-9][0-9]{0,5}[mhd]$',
      examples: ['14d'],
    }),
});

/** Seconds of a length in minutes, hours or days; null for anything else. */
export function beforeSeconds(text: string): number | null {
  const [, number, unit] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? [];
  const seconds = Number(number) * (WINDOW_UNITS[unit as keyof typeof WINDOW_UNITS] ?? NaN);
  return seconds <= MAX_WINDOW_SECONDS ? seconds : null;
}

/** The headers in which upstreams learn of a decision; those that a policy has without saying so are written out. */
export function identityHeadersOf({
  identityHeaders: chosen,
}: {
  identityHeaders?: IdentityHeaders | undefined;
}): IdentityHeaders {
  return chosen ?? Object.fromEntries(USUAL.map((fact) => [fact, IDENTITY_HEADERS[fact]]));
}

/** True where every request carries its route in the header that routing tables match on, and nothing else in it. */
export function tellsRoute(policy: { identityHeaders?: IdentityHeaders | undefined }): boolean {
  const { route, ...others } = identityHeadersOf(policy);
  return route === IDENTITY_HEADERS.route && !Object.values(others).includes(route);
}
