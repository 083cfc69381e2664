import { HostFault } from './abi.ts';

/** What access logs show of a filter state of type google.protobuf.Struct, as far as the module writes one: strings and numbers. */
export type Fields = Record<string, string | number>;

const LENGTH_DELIMITED = 2;
const FIXED64 = 1;

/**
 * Reads a google.protobuf.Struct:
 *
 *   Struct { 1 fields: { 1 key  2 value } … }    Value { 2 number_value: double  3 string_value }
 */
export function readStruct(bytes: Buffer): Fields {
  const fields: Fields = {};
  for (const { number, value } of messageOf(bytes)) {
    if (number !== 1) throw new HostFault(`Struct: field ${number}`);
    const [key, content, ...more] = messageOf(contentOf(value));
    if (key?.number !== 1 || content?.number !== 2 || more.length > 0) throw new HostFault('Struct: no key and value');
    fields[textOf(key.value)] = readValue(contentOf(content.value));
  }
  return fields;
}

function readValue(bytes: Buffer): string | number {
  const [kind, ...more] = messageOf(bytes);
  if (kind === undefined || more.length > 0) throw new HostFault('Struct: a value of no kind');
  if (kind.number === 2 && typeof kind.value === 'number') return kind.value;
  if (kind.number === 3) return textOf(kind.value);
  throw new HostFault(`Struct: a value of kind ${kind.number}`);
}

interface Member {
  readonly number: number;
  readonly value: Buffer | number;
}

function messageOf(bytes: Buffer): Member[] {
  const members: Member[] = [];
  let at = 0;
  const varint = (): number => {
    for (let value = 0, shift = 0; at < bytes.length && shift < 28; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new HostFault('Struct: a number without end');
  };
  while (at < bytes.length) {
    const tag = varint();
    const isNumber = (tag & 7) === FIXED64;
    if (!isNumber && (tag & 7) !== LENGTH_DELIMITED) throw new HostFault(`Struct: wire type ${tag & 7}`);
    const size = isNumber ? 8 : varint();
    if (size > bytes.length - at) throw new HostFault('Struct: cut short');
    members.push({ number: tag >> 3, value: isNumber ? bytes.readDoubleLE(at) : bytes.subarray(at, at + size) });
    at += size;
  }
  return members;
}

function contentOf(value: Buffer | number): Buffer {
  if (typeof value === 'number') throw new HostFault('Struct: a number where a message stands');
  return value;
}

function textOf(value: Buffer | number): string {
  return contentOf(value).toString('utf8');
}
