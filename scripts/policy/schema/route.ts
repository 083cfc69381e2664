import { z } from 'zod';
import { filled } from './collection.ts';
import { consumerName } from './consumerName.ts';
import { changeableHeader, headerName, headerValue, token } from './header.ts';
import { name } from './name.ts';
import { newPrefix, pathPrefix } from './place.ts';

export const MAX_ROUTES = 1024;
/** What the module takes of a route's headers to set, and to remove. */
const MAX_HEADERS = 64;
const HEADERS_RULE = `must hold at most ${MAX_HEADERS} headers`;
const ONE_CONDITION_RULE = 'must hold exactly one of exact, prefix, oneOf, present, absent';

const headerCondition = z
  .strictObject({
    exact: headerValue().meta({ description: 'The header has this value.' }).optional(),
    prefix: headerValue()
      .min(1, { error: 'must not be empty; for any value there is "present: true"' })
      .meta({ description: "The header's value begins with this." })
      .optional(),
    oneOf: filled(headerValue(), 'must hold a value', 'The header has one of these values.').optional(),
    present: z
      .literal(true, { error: 'must be true; for its absence there is "absent: true"' })
      .meta({ description: 'The header is there, with any value.' })
      .optional(),
    absent: z
      .literal(true, { error: 'must be true; for its presence there is "present: true"' })
      .meta({ description: 'The header is not there.' })
      .optional(),
  })
  .refine((condition) => Object.values(condition).filter((value) => value !== undefined).length === 1, {
    error: ONE_CONDITION_RULE,
  })
  .meta({ minProperties: 1, maxProperties: 1 });

const when = z
  .strictObject({
    headers: z
      .record(headerName(), z.union([headerValue().transform((exact) => ({ exact })), headerCondition]))
      .refine((headers) => Object.keys(headers).length > 0, { error: 'must name a header' })
      .meta({
        description:
          'Conditions on request headers; a text is short for { exact: text }. A header sent several times holds when one of its values does.',
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

export const route = z.strictObject({
  name: name("The route's name; the upstream and the access log see it as API/ROUTE."),
  when,
  upstream: name('Where its requests go. Default: the upstream of the API.').optional(),
  setHeaders: z
    .record(changeableHeader(), headerValue())
    .refine((headers) => Object.keys(headers).length <= MAX_HEADERS, { error: HEADERS_RULE })
    .meta({ description: 'Request headers to set, replacing what the caller sent.' })
    .optional(),
  removeHeaders: z
    .array(changeableHeader())
    .max(MAX_HEADERS, { error: HEADERS_RULE })
    .meta({ description: 'Request headers to remove.' })
    .optional(),
  rewritePrefix: newPrefix('Replaces the path of the condition, or else the path of the API that matched.').optional(),
});
