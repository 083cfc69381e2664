import { z } from 'zod';
import { BASIC_PARTS, KEY_REMOVERS, MAX_KEY_SOURCES, MAX_NAME_BYTES } from '../../contract/table.ts';
import { headerName, isFraming, isList, token } from './header.ts';

/** Instead of a scheme: the header holds nothing but the key. */
export const NO_SCHEME = 'none';
const PREFIX = new RegExp(`^(?! )[ -~]{1,${MAX_NAME_BYTES}}$`);
export const PREFIX_RULE = `must be 1 to ${MAX_NAME_BYTES} printable ASCII characters, the first no space`;

const header = headerName()
  .refine((name) => name !== 'authorization', {
    error: 'must name a scheme: { authorization: Bearer }, or { authorization: none } for a key without one',
  })
  .refine((name) => name !== 'cookie', { error: 'must name a cookie: { cookie: api_key }' })
  .refine((name) => !isFraming(name), { error: 'must not be a header that frames the message' })
  .refine((name) => !isList(name), {
    error:
      'must not be a header that holds lists or belongs to Envoy; a key needs a header of its own, a query parameter or a cookie',
  });

const scheme = token()
  .refine((name) => !/^basic$/i.test(name), {
    error: 'must not be "Basic"; say where in it the key is: { basic: user } or { basic: password }',
  })
  .refine((name) => name === NO_SCHEME || !/^none$/i.test(name), { error: 'must be "none" in lower case' });

const KINDS = ['header', 'authorization', 'basic', 'query', 'cookie'] as const;

const keySource = z
  .strictObject({
    header: header.meta({ description: 'A request header.' }).optional(),
    prefix: z
      .string()
      .regex(PREFIX, { error: PREFIX_RULE })
      .meta({
        description:
          'What stands before the key in the header, such as "Key ", in any case. A value without it is no key.',
      })
      .optional(),
    authorization: scheme
      .meta({
        description: 'The scheme of the Authorization header, in any case; none: the header holds nothing but the key.',
        examples: ['Bearer', 'ApiKey', 'Token', NO_SCHEME],
      })
      .optional(),
    basic: z
      .enum(BASIC_PARTS)
      .meta({ description: 'What of the Basic credentials in the Authorization header is the key.' })
      .optional(),
    query: token().meta({ description: 'A query parameter.' }).optional(),
    cookie: token().meta({ description: 'A cookie.' }).optional(),
  })
  .refine((source) => KINDS.filter((kind) => source[kind] !== undefined).length === 1, {
    error: `must hold exactly one of ${KINDS.join(', ')}`,
  })
  .refine(({ prefix, header }) => prefix === undefined || header !== undefined, {
    error: 'must not hold prefix without header',
  })
  .meta({ minProperties: 1, maxProperties: 2 });

/** Where keys may be, in order. */
export function keySources(description: string) {
  return z
    .array(keySource)
    .min(1, { error: 'must hold a key source' })
    .max(MAX_KEY_SOURCES, { error: `must hold at most ${MAX_KEY_SOURCES} key sources` })
    .meta({ description });
}

/** Who takes the key off a request that goes on. */
export const keyRemoval = z.enum(KEY_REMOVERS).meta({
  description:
    'Who takes keys off requests. module: the module does. routes: the routes that "tollgate run" and "tollgate emit" make do, which costs less; only for keys in headers of their own. Default: module.',
});

export type WrittenSource = z.output<typeof keySource>;

/** The header in which a key source looks; null: it looks into the query. */
export function headerOfSource(source: WrittenSource): string | null {
  if (source.authorization !== undefined || source.basic !== undefined) return 'authorization';
  return source.cookie !== undefined ? 'cookie' : (source.header ?? null);
}
