/*
 * The part of Envoy's rate limit protocol (envoy.service.ratelimit.v3) that Tollgate and this suite use, written by hand and
 * independently of the module's own reader and writer:
 *
 *   request     1 domain · 2 descriptor* · 3 hits_addend
 *   descriptor  1 entry* { 1 key · 2 value } · 3 hits_addend { 1 value }
 *   response    1 overall_code · 2 status*
 *   status      1 code · 2 current_limit { 1 requests_per_unit · 2 unit } · 3 limit_remaining · 4 duration_until_reset { 1 seconds }
 *
 * A field is varint(number << 3 | wire type), then a varint (wire type 0) or varint(length) and bytes (2). Zeros are left out.
 */

export const SERVICE = 'envoy.service.ratelimit.v3.RateLimitService';
export const METHOD = 'ShouldRateLimit';

export const Code = { unknown: 0, ok: 1, overLimit: 2 } as const;
export const Unit = { second: 1, minute: 2, hour: 3, day: 4, month: 5, year: 6, week: 7 } as const;

export type Entry = readonly [key: string, value: string];

export interface AskMessage {
  readonly domain: string;
  readonly descriptors: readonly (readonly Entry[])[];
  readonly hits: number;
  /** Hits of single descriptors, which count in place of those of the call; null where there are none. */
  readonly ownHits: readonly (number | null)[];
  /** Numbers of fields that are not listed above. */
  readonly otherFields: readonly string[];
}

export interface Status {
  code: number;
  limit?: { requestsPerUnit: number; unit: number };
  remaining?: number | bigint;
  resetSeconds?: number | bigint;
}

export interface AnswerMessage {
  overallCode: number;
  statuses: Status[];
}

export function decodeAsk(bytes: Buffer): AskMessage {
  const fields = read(bytes);
  const otherFields = fields.filter(({ number }) => number > 3).map(({ number }) => String(number));
  const ownHits: (number | null)[] = [];
  const descriptors = many(fields, 2).map((descriptor) => {
    const inner = read(descriptor);
    otherFields.push(...inner.filter(({ number }) => number !== 1 && number !== 3).map(({ number }) => `2.${number}`));
    const [own] = many(inner, 3);
    ownHits.push(own === undefined ? null : number(read(own), 1));
    return many(inner, 1).map((entry): Entry => [text(read(entry), 1), text(read(entry), 2)]);
  });
  return { domain: text(fields, 1), descriptors, hits: number(fields, 3), ownHits, otherFields };
}

/** A call about one counter; with 0 hits it only looks. */
export function encodeAsk(domain: string, entries: readonly Entry[], hits: number): Buffer {
  const descriptor = entries.map(([key, value]) =>
    bytesField(1, Buffer.concat([bytesField(1, Buffer.from(key)), bytesField(2, Buffer.from(value))])),
  );
  return Buffer.concat([
    bytesField(1, Buffer.from(domain)),
    bytesField(2, Buffer.concat([...descriptor, ...(hits === 0 ? [bytesField(3, Buffer.alloc(0))] : [])])),
    varintField(3, hits),
  ]);
}

export function encodeAnswer({ overallCode, statuses }: AnswerMessage): Buffer {
  return Buffer.concat([varintField(1, overallCode), ...statuses.map((status) => bytesField(2, encodeStatus(status)))]);
}

function encodeStatus({ code, limit, remaining, resetSeconds }: Status): Buffer {
  return Buffer.concat([
    varintField(1, code),
    ...(limit === undefined
      ? []
      : [bytesField(2, Buffer.concat([varintField(1, limit.requestsPerUnit), varintField(2, limit.unit)]))]),
    ...(remaining === undefined ? [] : [varintField(3, remaining)]),
    ...(resetSeconds === undefined ? [] : [bytesField(4, varintField(1, resetSeconds))]),
  ]);
}

export function decodeAnswer(bytes: Buffer): AnswerMessage {
  const fields = read(bytes);
  return { overallCode: number(fields, 1), statuses: many(fields, 2).map((status) => decodeStatus(read(status))) };
}

function decodeStatus(fields: Field[]): Status {
  const [limit] = many(fields, 2).map(read);
  const [reset] = many(fields, 4).map(read);
  return {
    code: number(fields, 1),
    ...(limit === undefined ? {} : { limit: { requestsPerUnit: number(limit, 1), unit: number(limit, 2) } }),
    remaining: number(fields, 3),
    ...(reset === undefined ? {} : { resetSeconds: number(reset, 1) }),
  };
}

interface Field {
  readonly number: number;
  readonly value: bigint | Buffer;
}

function read(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('protobuf: cut short');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    if ((tag & 7) === 0) fields.push({ number: tag >> 3, value: varint() });
    else if ((tag & 7) === 2) {
      const length = Number(varint());
      if (at + length > bytes.length) throw new Error('protobuf: cut short');
      fields.push({ number: tag >> 3, value: bytes.subarray(at, (at += length)) });
    } else throw new Error(`protobuf: wire type ${tag & 7}`);
  }
  return fields;
}

function many(fields: Field[], wanted: number): Buffer[] {
  return fields.filter((field) => field.number === wanted).map(({ value }) => value as Buffer);
}

/** The last one counts, as in protobuf. */
function number(fields: Field[], wanted: number): number {
  return Number(fields.findLast((field) => field.number === wanted)?.value ?? 0);
}

function text(fields: Field[], wanted: number): string {
  return (fields.findLast((field) => field.number === wanted)?.value ?? '').toString();
}

function varintField(field: number, value: number | bigint): Buffer {
  return Number(value) === 0 ? Buffer.alloc(0) : Buffer.concat([varint(field << 3), varint(value)]);
}

function bytesField(field: number, content: Buffer): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(content.length), content]);
}

/** Negative numbers take ten bytes, as in protobuf's int64. */
function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return Buffer.from([...bytes, Number(rest)]);
}
