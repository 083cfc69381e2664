import { z } from 'zod';
import { REASON_NAMES } from './reason.ts';

/*
 * A case is a policy and steps in time. A step may change the policy, send one request (or the same one several times), and state
 * the expected outcome. Strings may contain `repeat(TEXT, COUNT)`; a header value or a path may be `hex:` and its bytes.
 */

const mapping = z.record(z.string(), z.unknown());
const policy = z.union([z.string(), mapping]);
const offset = z.string().regex(/^-?\d+(\.\d+)?(ms|s|m|h|d)$/);
const headerValue = z.union([z.string(), z.array(z.string())]);

const request = z.strictObject({
  method: z.string().default('GET'),
  /** null: a request without `:path`, as CONNECT is. */
  path: z.string().nullable().default('/v1/pets'),
  /** null: a request that names no host. */
  host: z.string().nullable().default('api.example.com'),
  headers: z.array(z.tuple([z.string(), z.string()])).default([]),
  /** The client's own address: of this machine, so that a real Envoy sees the same. */
  from: z
    .string()
    .regex(/^127\.\d+\.\d+\.\d+$/)
    .default('127.0.0.1'),
  /** Short for a header `x-api-key`. */
  key: z.string().optional(),
  /** What its upstream answers. */
  answer: z
    .strictObject({
      status: z.number().int().min(200).max(599).default(200),
      headers: z.array(z.tuple([z.string(), z.string()])).default([]),
    })
    .optional(),
  /** Over TLS, from a peer whose certificate has these URIs, or that shows none. */
  peer: z.strictObject({ uris: z.array(z.string()).nullable(), verified: z.boolean().default(true) }).optional(),
  /**
   * A token with these claims, or with a payload that is text, as `authorization: Bearer …`: signed with the key of `by`, and then perhaps
   * altered.
   */
  token: z
    .strictObject({
      claims: z.union([z.string(), mapping]),
      by: z.string().default('corp'),
      alg: z.enum(['ES256', 'HS256', 'none']).default('ES256'),
      altered: z.enum(['payload', 'signature']).optional(),
      /** What stands before it. */
      scheme: z.string().default('Bearer '),
    })
    .optional(),
});

const upstream = z.strictObject({
  method: z.string().optional(),
  path: z.string().optional(),
  host: z.string().optional(),
  headers: z.record(z.string(), headerValue).optional(),
  absent: z.array(z.string()).optional(),
});

const expectation = z.strictObject({
  reason: z.enum(REASON_NAMES),
  /** True: it passes all the same, because that is only observed. */
  observed: z.boolean().default(false),
  /** Default: the reason's own; 200 for gRPC. */
  status: z.number().int().optional(),
  /** In values here and below `*` stands for any text. */
  response: z.record(z.string(), headerValue).optional(),
  responseAbsent: z.array(z.string()).optional(),
  body: mapping.optional(),
  /** The whole body. */
  text: z.string().optional(),
  upstream: upstream.optional(),
  /** Fields of the access log text; null: the field must be missing. */
  log: z.record(z.string(), z.string().nullable()).optional(),
  /** All log fields. */
  fields: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
});

const step = z
  .strictObject({
    /** What the clock reads, from `start`. */
    at: offset.optional(),
    /** The clock is set to `at` without time passing, so that nothing ticks in between. */
    jump: z.boolean().default(false),
    /** Replaces the policy. */
    policy: policy.optional(),
    /** A JSON merge patch (RFC 7396) on the policy in force. */
    patch: mapping.optional(),
    times: z.number().int().min(1).default(1),
    request: request.optional(),
    /** The request is under way from here on, under this name: its upstream answers with a later step, or its client goes. */
    opens: z.string().optional(),
    /** The upstream answers now; `expect` is about the whole. */
    ends: z.string().optional(),
    resets: z.string().optional(),
    expect: expectation.optional(),
  })
  .refine(
    ({ opens, ends, resets }) => [opens, ends, resets].filter((name) => name !== undefined).length <= 1,
    'one of opens, ends and resets',
  )
  .refine(
    ({ request, opens, ends, resets, expect }) =>
      (request !== undefined && opens === undefined) || ends !== undefined
        ? expect !== undefined && (ends === undefined || request === undefined)
        : expect === undefined &&
          (opens === undefined) === (request === undefined) &&
          (resets === undefined || request === undefined),
    'request and expect go together, but for one that opens and is ended or reset later',
  );

export const caseSchema = z.strictObject({
  name: z.string().min(1),
  policy,
  patch: mapping.optional(),
  start: z.string().optional(),
  /** Only runners whose clock can be set may run it. */
  time: z.literal('virtual').optional(),
  /** A proxy refuses or changes these bytes before (or after) any filter sees them: only runners inside one process may run it. */
  wire: z.literal('refused').optional(),
  /** Counts by the step are exact in one worker only: leases held by others are not visible. */
  workers: z.literal(1).optional(),
  steps: z.array(step).min(1),
});

export type CaseText = z.infer<typeof caseSchema>;
export type StepText = CaseText['steps'][number];
export type Expectation = z.infer<typeof expectation>;
export type RequestText = z.infer<typeof request>;
