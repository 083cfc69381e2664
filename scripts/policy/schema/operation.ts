import { z } from 'zod';
import {
  MAX_COST,
  MAX_ME_PATH_BYTES,
  MAX_ME_PER_MINUTE,
  MAX_METHODS,
  MAX_NAME_BYTES,
  MAX_OPERATION_PLANS,
  MAX_OPERATION_SCOPES,
  MAX_PATH_BYTES,
  MAX_SEGMENTS,
  ME_PER_MINUTE,
} from '../../contract/table.ts';
import { quote } from '../secret.ts';
import { costHeader } from './header.ts';
import { lifecycle } from './lifecycle.ts';
import { ownQuotas } from './quota.ts';
import { filled, name, wholeFrom } from './value.ts';

/** A segment of a template; `prefix` and `suffix` are what stands around the variable. */
export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string; readonly prefix: string; readonly suffix: string }
  | { readonly kind: 'rest'; readonly name: string };

/** What an operation's key says: which requests it is about. */
export interface Pattern {
  /** In upper case; null: any method. */
  readonly methods: readonly string[] | null;
  /** Without a slash at its end, which makes no difference; `/` is the path of the API itself. */
  readonly template: string;
  readonly segments: readonly Segment[];
}

export const PATTERN_RULE =
  'must be methods in upper case, a space and a template below the paths of the API, such as "GET /pets/{id}" or "PUT,DELETE /pets/{id}"; a template alone takes any method';

const METHODS = '[A-Z][A-Z0-9-]{0,31}';
const KEY = new RegExp(`^(?:(${METHODS}(?:,${METHODS})*) )?(/.*)$`);
const LITERAL = /^[A-Za-z0-9\-._~!$&'()+,=:@]*$/;
const VARIABLE = /^[A-Za-z0-9_.~-]+$/;

/** What a key means, or the rule that it breaks. */
export function readPattern(key: string): Pattern | string {
  const [, methods, path] = KEY.exec(key) ?? [];
  if (path === undefined) return hintOf(key) ?? PATTERN_RULE;
  if (path.length > MAX_PATH_BYTES) return `must have a template of at most ${MAX_PATH_BYTES} characters`;
  const list = methods?.split(',') ?? null;
  if (list !== null && list.some((method) => method === 'ANY' || method === 'ALL'))
    return 'must name methods; a template alone takes any';
  if (list !== null && (list.length > MAX_METHODS || new Set(list).size < list.length))
    return `must name at most ${MAX_METHODS} methods, each once`;
  const template = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  const parts = template === '/' ? [] : template.slice(1).split('/');
  if (parts.length > MAX_SEGMENTS) return `must have a template of at most ${MAX_SEGMENTS} segments`;
  const segments: Segment[] = [];
  for (const [index, part] of parts.entries()) {
    const segment = readSegment(part, index === parts.length - 1);
    if (typeof segment === 'string') return segment;
    segments.push(segment);
  }
  const names = segments.flatMap((segment) => (segment.kind === 'literal' ? [] : [segment.name]));
  if (new Set(names).size < names.length) return 'must give each variable of a template a name of its own';
  return { methods: list, template, segments };
}

function readSegment(part: string, isLast: boolean): Segment | string {
  if (part === '' || part === '.' || part === '..') return 'must have a template without empty segments, "." and ".."';
  const [, prefix, name, suffix] = /^([^{}]*)\{([^{}]*)\}([^{}]*)$/.exec(part) ?? [];
  if (name === undefined || prefix === undefined || suffix === undefined) {
    if (/\{[^{}]*\}/.test(part))
      return `must have templates with one variable in a segment; write ${quote(part.replace(/\{.*\}/s, '{name}'))}`;
    if (/[{}]/.test(part)) return 'must close each "{" of a template with "}"';
    if (LITERAL.test(part) && !part.startsWith(':')) return { kind: 'literal', text: part };
    return patternHint(part);
  }
  if (name.endsWith('...')) {
    const rest = name.slice(0, -3);
    if (!VARIABLE.test(rest) || prefix !== '' || suffix !== '') return 'must have the rest of the path as "{name...}"';
    return isLast ? { kind: 'rest', name: rest } : 'must have "{name...}" at the end of a template only';
  }
  if (!VARIABLE.test(name)) return 'must name variables with letters, digits, ".", "_", "~" and "-"';
  if (!LITERAL.test(prefix) || !LITERAL.test(suffix)) return patternHint(part);
  return { kind: 'variable', name, prefix, suffix };
}

/** What to write instead of what other gateways write. */
function patternHint(part: string): string {
  const rule = "must have a template of letters, digits and -._~!$&'()+,=:@, with variables in braces";
  if (/^:[A-Za-z0-9_]+$/.test(part)) return `${rule}; write ${quote(`{${part.slice(1)}}`)} for ${quote(part)}`;
  if (part === '*' || part === '**')
    return `${rule}; write "{path...}" for ${quote(part)} at the end, and "{name}" elsewhere`;
  if (part.includes('%')) return `${rule}; escapes are compared in their decoded form`;
  return `${rule}; there are no other patterns`;
}

function hintOf(key: string): string | null {
  const upper = /^([A-Za-z,]+) +(\/\S*)$/.exec(key);
  return upper === null ? null : `${PATTERN_RULE}; write ${quote(`${upper[1]!.toUpperCase()} ${upper[2]}`)}`;
}

/** The template as the module reads it: `{}` for a variable, `{...}` for the rest. Names of variables mean nothing to it. */
export function compiledTemplate({ segments }: Pattern): string {
  return `/${segments
    .map((segment) => {
      if (segment.kind === 'literal') return segment.text;
      return segment.kind === 'rest' ? '{...}' : `${segment.prefix}{}${segment.suffix}`;
    })
    .join('/')}`;
}

const OPERATION_NAME = new RegExp(`^[A-Za-z0-9_](?:[A-Za-z0-9._/-]{0,${MAX_NAME_BYTES - 2}}[A-Za-z0-9_])?$`);
const OPERATION_NAME_RULE = `must be a name of 1 to ${MAX_NAME_BYTES} letters, digits, ".", "_", "/" and "-" that begins and ends with a letter, digit or "_"`;

/** The name that logs and metrics show: the operation's own, or its methods and template without the space. */
export function operationName(key: string, given: string | undefined): string {
  return given ?? key.replace(' ', '').replace(/(.)\/$/, '$1');
}

export const SCOPE = new RegExp(`^[!#-[\\]-~]{1,${MAX_NAME_BYTES}}$`);
export const SCOPE_RULE = `must be a scope: 1 to ${MAX_NAME_BYTES} characters of printable ASCII without spaces, '"' and "\\"`;

export function scope(description: string) {
  return z
    .string()
    .regex(SCOPE, { error: SCOPE_RULE })
    .meta({ description, examples: ['read:pets'] });
}

const COST_RULE = (least: number) =>
  `must be a whole number from ${least} to ${MAX_COST}, or a mapping such as { reserve: 5, header: x-usage, most: 1000 }`;

/** Units that a request takes from each quota: a number, or what the answer makes of what was reserved. */
export const cost = (least: number, whose: string) =>
  z
    .union(
      [
        wholeFrom(least, MAX_COST, 'Units.'),
        z
          .strictObject({
            reserve: wholeFrom(1, MAX_COST, 'Units that a request takes until it is answered. Default: 1.').optional(),
            header: costHeader()
              .meta({
                description:
                  'The response header in which the upstream says how many units the request has cost, as a whole number. Without it, or with anything else in it: what was reserved.',
                examples: ['x-usage'],
              })
              .optional(),
            most: wholeFrom(1, MAX_COST, 'More units than these in the header count as these.').optional(),
            counts: z
              .enum(['all', 'success'])
              .meta({ description: 'success: an answer without a status of 2xx costs nothing. Default: all.' })
              .optional(),
          })
          .refine(({ header, counts }) => header !== undefined || counts === 'success', {
            error: 'must hold a header or "counts: success"; a number says what every request costs',
          })
          .refine(({ header, most }) => (header === undefined) === (most === undefined), {
            error: 'must hold header and most together',
          })
          .refine(({ reserve = 1, most = MAX_COST }) => reserve <= most, {
            error: 'must not reserve more units than most',
          }),
      ],
      { error: COST_RULE(least) },
    )
    .meta({
      description: `Units that a request takes from each quota: a number, or a mapping where the answer settles it. ${whose}`,
      examples: [5, { reserve: 5, header: 'x-usage', most: 1000, counts: 'success' }],
    });

export type Cost = z.output<ReturnType<typeof cost>>;

const fields = z.strictObject({
  name: z
    .string()
    .regex(OPERATION_NAME, { error: OPERATION_NAME_RULE })
    .meta({ description: "What logs and metrics call it, as OpenAPI's operationId. Default: methods and template." })
    .optional(),
  plans: filled(
    name('A plan that the API offers.'),
    'must hold a plan; leave the field out for any plan of the API',
    "The caller's plan must be one of these.",
  )
    .max(MAX_OPERATION_PLANS, { error: `must hold at most ${MAX_OPERATION_PLANS} plans` })
    .optional(),
  scopes: filled(
    scope('A scope.'),
    'must hold a scope; leave the field out to ask for none',
    'The consumer must have all of these scopes.',
  )
    .max(MAX_OPERATION_SCOPES, { error: `must hold at most ${MAX_OPERATION_SCOPES} scopes` })
    .optional(),
  cost: cost(0, '0: none, whatever is left. Default: that of the API.').optional(),
  quotas: ownQuotas.optional(),
  anonymous: z
    .enum(['deny', 'allow'])
    .meta({
      description:
        'allow: a request without any key passes. Default: what the API says; deny where the operation asks for plans or scopes.',
    })
    .optional(),
  ...lifecycle,
});

export type Operation = z.output<typeof fields>;

/** Nothing after the key means: nothing special about this operation, it is listed. */
const operation = fields.nullable().transform((given): Operation => given ?? {});

/** Operations by what they match. */
export const operations = z
  .record(
    z.string().refine((key) => typeof readPattern(key) !== 'string', {
      error: ({ input }) => readPattern(String(input)) as string,
    }),
    operation,
    { error: 'must be a mapping from what operations match, such as "GET /pets/{id}", to what they ask for' },
  )
  .refine((entries) => Object.keys(entries).length > 0, {
    error: 'must hold an operation; leave the field out to take every path of the API',
  })
  .meta({
    description:
      'What the API offers, by methods and path template: "GET /pets/{id}". Literal segments go before variables. Requests that match none are refused, unless unlisted is allow.',
    examples: [{ 'GET /pets': null, 'POST /pets': { cost: 5 }, 'GET /pets/{id}': { name: 'showPet' } }],
  });

/** Where callers are told of their quotas, if nothing else is said. */
export const ME_PATH = '/.tollgate/me';
const ME = new RegExp(
  `^(?=.{2,${MAX_ME_PATH_BYTES}}$)(?:/(?!\\.{1,2}(?:/|$))[A-Za-z0-9._-]+){1,${MAX_SEGMENTS}}(?<=[A-Za-z0-9_])$`,
);
const ME_PATH_RULE = `must be a path: "/" first, then at most ${MAX_ME_PATH_BYTES - 1} letters, digits, ".", "_", "-" and "/", the last one a letter, digit or "_", such as ${ME_PATH}`;
const ME_RULE = `must be true, a path such as ${ME_PATH}, or a mapping such as { path: ${ME_PATH}, perMinute: ${ME_PER_MINUTE} }`;
const mePath = z.string().regex(ME, { error: ME_PATH_RULE });

/** The operation at which the module itself tells callers of their plan and quotas. */
export const me = z
  .union(
    [
      mePath.transform((path) => ({ path, perMinute: ME_PER_MINUTE })),
      z.strictObject({
        path: mePath.default(ME_PATH).meta({ description: `Below the paths of the API. Default: ${ME_PATH}.` }),
        perMinute: wholeFrom(1, MAX_ME_PER_MINUTE, 'How often a minute a consumer may ask.').default(ME_PER_MINUTE),
      }),
      z.literal(true, { error: ME_RULE }).transform(() => ({ path: ME_PATH, perMinute: ME_PER_MINUTE })),
    ],
    { error: ME_RULE },
  )
  .meta({
    description: `Where callers with a valid key are told of their plan and what is left of its quotas, below the paths of the API; true: at ${ME_PATH}. Default: nowhere.`,
  });

/** What logs and metrics call it. */
export function meName(path: string): string {
  return `GET${path}`;
}
