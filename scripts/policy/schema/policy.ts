import { z } from 'zod';
import { DIGEST_DIGITS, MAX_KEY_APIS, MAX_ROUTES, MAX_ROUTE_HEADERS, PATH_DATA } from '../../contract/table.ts';
import { addresses, anonymous, clientAddress } from './address.ts';
import { calendar } from './calendar.ts';
import { callingOrigins, cors } from './cors.ts';
import { changeableHeader, headerName, headerValue, parameterName, parameterValue, realm, token } from './header.ts';
import { accessLog, identityHeaders, keyExpiryWarning, rateLimitHeaders } from './disclosure.ts';
import { credentials, workload, workloadProof } from './identity.ts';
import { keyRemoval, keySources } from './keySource.ts';
import { lifecycle } from './lifecycle.ts';
import { targets, upstream } from './mesh.ts';
import { cost, me, operations, scope } from './operation.ts';
import { ownLimit, plan, rateLimitService } from './quota.ts';
import { subjects, tokens } from './token.ts';
import { consumerName, filled, host, label, listed, mode, name, named, newPrefix, pathPrefix, time } from './value.ts';

export const DIGEST = new RegExp(`^sha256:[0-9a-f]{${DIGEST_DIGITS}}$`);
export const DIGEST_RULE = `must be "sha256:" and the ${DIGEST_DIGITS} lower-case hex digits of the key's SHA-256; "tollgate keys digest" prints it`;

const allowOrDeny = (description: string) => z.enum(['deny', 'allow']).default('deny').meta({ description });
const flag = (description: string) =>
  z.boolean({ error: 'must be true or false' }).default(false).meta({ description });

const HEADERS_RULE = `must hold at most ${MAX_ROUTE_HEADERS} headers`;
const ONE_CONDITION_RULE = 'must hold exactly one of exact, prefix, oneOf, present, absent';

/** What a value must be, of a header or of a query parameter. */
const condition = (what: string, value: () => z.ZodString) =>
  z
    .strictObject({
      exact: value()
        .meta({ description: `The ${what} has this value.` })
        .optional(),
      prefix: value()
        .min(1, { error: 'must not be empty; for any value there is "present: true"' })
        .meta({ description: `The ${what}'s value begins with this.` })
        .optional(),
      oneOf: filled(value(), 'must hold a value', `The ${what} has one of these values.`).optional(),
      present: z
        .literal(true, { error: 'must be true; for its absence there is "absent: true"' })
        .meta({ description: `The ${what} is there, with any value.` })
        .optional(),
      absent: z
        .literal(true, { error: 'must be true; for its presence there is "present: true"' })
        .meta({ description: `The ${what} is not there.` })
        .optional(),
    })
    .refine((condition) => Object.values(condition).filter((value) => value !== undefined).length === 1, {
      error: ONE_CONDITION_RULE,
    })
    .meta({ minProperties: 1, maxProperties: 1 });

/** A plain string is short for `{ exact: string }`. */
const test = (what: string, value: () => z.ZodString) =>
  z.union([value().transform((exact) => ({ exact })), condition(what, value)]);

const when = z
  .strictObject({
    headers: z
      .record(headerName(), test('header', headerValue))
      .refine((headers) => Object.keys(headers).length > 0, { error: 'must name a header' })
      .meta({
        description:
          'Conditions on request headers; a plain string is short for { exact: string }. A header sent several times meets a condition when one of its values does.',
      })
      .optional(),
    query: z
      .record(parameterName(), test('parameter', parameterValue))
      .refine((parameters) => Object.keys(parameters).length > 0, { error: 'must name a parameter' })
      .meta({
        description:
          'Conditions on parameters of the query, by decoded name; values are compared decoded. A parameter sent several times meets a condition when one of its values does.',
      })
      .optional(),
    methods: filled(
      token()
        .regex(/^[^a-z]*$/, { error: 'must be a method in upper case' })
        .refine((method) => !/^(?:ANY|ALL)$/.test(method), { error: 'must be one method; leave methods out for any' }),
      'must hold a method',
      'The method is one of these.',
    ).optional(),
    path: pathPrefix('The path lies under this one, which lies under a path of the API.').optional(),
    plans: filled(name('A plan.'), 'must hold a plan', "The caller's plan is one of these.").optional(),
    consumers: filled(consumerName('A consumer.'), 'must hold a consumer', 'The caller is one of these.').optional(),
  })
  .refine((conditions) => Object.keys(conditions).length > 0, {
    error: "must hold a condition; without one there is the API's own upstream",
  })
  .meta({ description: 'Conditions; all of them must hold.', minProperties: 1 });

const route = z.strictObject({
  name: name("The route's name; the upstream and the access log see it as API/ROUTE."),
  when,
  upstream: name('Where its requests go. Default: the upstream of the API.').optional(),
  setHeaders: z
    .record(changeableHeader(), headerValue())
    .refine((headers) => Object.keys(headers).length <= MAX_ROUTE_HEADERS, { error: HEADERS_RULE })
    .meta({ description: 'Request headers to set, replacing what the caller sent.' })
    .optional(),
  removeHeaders: z
    .array(changeableHeader())
    .max(MAX_ROUTE_HEADERS, { error: HEADERS_RULE })
    .meta({ description: 'Request headers to remove.' })
    .optional(),
  rewritePrefix: newPrefix('Replaces the path of the condition, or else the path of the API that matched.').optional(),
  ...lifecycle,
});

const PATH_DATA_RULE = `must be a list of ${PATH_DATA.join(' and ')}, or of one of them`;

const pathData = z
  .array(z.enum(PATH_DATA), { error: PATH_DATA_RULE })
  .min(1, { error: PATH_DATA_RULE })
  .refine((list) => new Set(list).size === list.length, { error: 'must name each once' })
  .meta({
    description:
      'What is data in paths of the API, because its upstreams take it for that. escaped-slashes: %2F, which is refused otherwise. empty-segments: //, which is read as / otherwise.',
    uniqueItems: true,
  });

const api = z.strictObject({
  hosts: filled(
    host('A host in lower case without port, or "*." and a domain for every host below it.'),
    'must hold a host; leave the field out for any host',
    'Hosts of the API. Default: any host.',
  ).optional(),
  paths: filled(
    pathPrefix('A prefix of whole segments; "/" is everything.'),
    'must hold a path; "/" is everything',
    'Paths under which the API lies.',
  ),
  pathData: pathData.optional(),
  plans: listed(name('A plan.'), 'Plans that the API offers.'),
  credentials: credentials.optional(),
  anonymous,
  preflight: allowOrDeny('allow: a CORS preflight passes to the upstream without a key.'),
  cors: cors.meta({ description: 'Which pages in browsers may call the API, and how.' }).optional(),
  ...lifecycle,
  operations: operations.optional(),
  unlisted: z
    .enum(['deny', 'allow'])
    .meta({ description: 'What happens to requests that match none of the operations. Default: deny.' })
    .optional(),
  me: me.optional(),
  cost: cost(1, 'Of operations that say nothing of it, and of everything else on the API. Default: 1.').optional(),
  mode: mode(
    'observe: what would be refused on this API passes, and is counted. enforce: it is refused. Default: the mode of the policy.',
  ),
  keySources: keySources(
    "Where a key may be on this API, in order, instead of the policy's places: those are neither read nor touched.",
  ).optional(),
  forwardKey: z
    .boolean({ error: 'must be true or false' })
    .meta({ description: "true: the API's upstreams see the key. Default: forwardKey of the policy." })
    .optional(),
  upstream: name('Where requests go if no route takes them: the route "default".').optional(),
  routes: z
    .array(route)
    .max(MAX_ROUTES, { error: `must hold at most ${MAX_ROUTES} routes` })
    .nullish()
    .transform((routes) => routes ?? [])
    .meta({ description: 'Routes in order; the first whose conditions all hold takes the request.' }),
});

const subscription = z.strictObject({
  plan: name('The plan that the consumer has on this API.'),
  from: time('The subscription begins at this time.').optional(),
  until: time('The subscription ends at this time.').optional(),
  paused: flag('true: requests are refused until it is false again.'),
  limits: z
    .record(name('A quota of the plan.'), ownLimit)
    .meta({ description: 'Limits for this consumer, by quota.' })
    .optional(),
});

const key = z.strictObject({
  id: label('Public id of the key, for logs and support.'),
  digest: z
    .string({ error: DIGEST_RULE })
    .regex(DIGEST, { error: DIGEST_RULE })
    .meta({ description: "sha256: and the 64 hex digits of the key's SHA-256. The key itself is never here." }),
  from: time('The key works from this time on.').optional(),
  until: time('The key works until this time.').optional(),
  revoked: flag('true: the key no longer works.'),
  apis: filled(
    name('An API.'),
    'must hold an API; leave the field out for any',
    'APIs on which the key may be used. Default: all that its consumer may call.',
  )
    .max(MAX_KEY_APIS, { error: `must hold at most ${MAX_KEY_APIS} APIs` })
    .optional(),
  scopes: filled(
    scope('A scope of the consumer.'),
    'must hold a scope; leave the field out for those of the consumer',
    "What the key may do of what its consumer may. Default: all of the consumer's scopes.",
  ).optional(),
  addresses: addresses.optional(),
});

const consumerFields = z.strictObject({
  plan: name('Short for: this plan on every API that offers it.').optional(),
  subscriptions: named(name('An API.'), subscription, 'Plans by API; each takes precedence over "plan".'),
  group: consumerName('Consumers of one group share the counters of quotas with "per: group".').optional(),
  keys: listed(key, 'Keys of the consumer, by digest.'),
  scopes: listed(scope('A scope.'), 'What the consumer may do, as operations ask for it.'),
  addresses: addresses.optional(),
  origins: callingOrigins.optional(),
  workloads: listed(workload, 'Workloads that are this consumer, by the ids in their certificates.'),
  tokens: subjects.optional(),
  calendar: calendar(
    'Where days, weeks, months and years of its quotas begin, of whatever plan. Default: as the plan says.',
  ),
});
type ConsumerFields = z.output<typeof consumerFields>;
const consumer = consumerFields
  .nullable()
  .transform((fields): ConsumerFields => fields ?? { subscriptions: {}, keys: [], scopes: [], workloads: [] });

/** The policy file: what a person writes. Parsing fills in defaults and writes short forms out. */
export const policySchema = z
  .strictObject({
    policy: name("The policy's name; counters and metrics carry it."),
    mode: mode(
      'observe: what would be refused passes, and is counted. enforce: it is refused. APIs, plans and quotas may say otherwise. Default: enforce.',
    ),
    unmatched: allowOrDeny(
      'What happens to requests that match no API. deny: 404 no_api. allow: they pass, unchecked.',
    ),
    keySources: keySources('Where a key may be, in order.').default([{ header: 'x-api-key' }]),
    clientAddress: clientAddress
      .meta({ description: "Where the client's address stands. Default: the address that Envoy takes for it." })
      .optional(),
    forwardKey: flag('true: the upstream sees the key.'),
    keyRemoval: keyRemoval.optional(),
    realm: realm('The realm in the www-authenticate header of a 401. Default: the name of the API.').optional(),
    workloadProof: workloadProof.optional(),
    tokens: tokens.optional(),
    accessLog: accessLog.meta({ description: 'What the module leaves for access logs. Default: its line.' }).optional(),
    identityHeaders: identityHeaders
      .meta({
        description: `What upstreams learn of a request, and in which headers; facts with one name share a header. Default: consumer, plan and route, in x-tollgate-….`,
      })
      .optional(),
    rateLimitHeaders: rateLimitHeaders.default('standard').meta({
      description:
        'What callers learn of their quotas. standard: RateLimit and RateLimit-Policy. x-ratelimit: X-RateLimit-Limit, -Remaining and -Reset of the tightest quota. refusals: standard, only with a 429. none: nothing.',
    }),
    keyExpiryWarning: keyExpiryWarning
      .meta({ description: 'A response header that tells callers that their key ends soon. Default: none.' })
      .optional(),
    targets,
    rateLimitService: rateLimitService
      .meta({ description: 'The rate limit service that counts quotas with "scope: mesh".' })
      .optional(),
    upstreams: named(name('An upstream.'), upstream, 'Upstreams by name.'),
    apis: named(name('An API.'), api, 'APIs by name.'),
    plans: named(name('A plan.'), plan, 'Plans by name.'),
    consumers: named(consumerName('A consumer.'), consumer, 'Consumers by name.'),
  })
  .meta({ title: 'Tollgate policy' });

export type Policy = z.output<typeof policySchema>;
export type Api = Policy['apis'][string];
export type Route = Api['routes'][number];
export type HeaderCondition = NonNullable<Route['when']['headers']>[string];
export type Plan = Policy['plans'][string];
export type Quota = Plan['quotas'][string];
export type Consumer = Policy['consumers'][string];
export type Subscription = Consumer['subscriptions'][string];
export type Key = Consumer['keys'][number];

/** JSON Schema (draft 7, which editors know best) of a policy as a person writes it, short forms included. */
export function jsonSchema(): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(policySchema, { target: 'draft-7', io: 'input', reused: 'inline', override: asInteger });
}

/** The same as the content of a file. */
export function jsonSchemaText(): string {
  return `${JSON.stringify(jsonSchema(), null, 2)}\n`;
}

/** zod's own integers end below 2^53, so whole numbers are written with `multipleOf` there. */
function asInteger({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.type !== 'number' || jsonSchema.multipleOf !== 1) return;
  jsonSchema.type = 'integer';
  delete jsonSchema.multipleOf;
}
