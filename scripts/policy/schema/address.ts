import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { MAX_ADDRESS_BLOCKS, MAX_TRUSTED_HOPS } from '../../contract/table.ts';
import { quote } from '../secret.ts';
import { headerName } from './header.ts';
import { name, wholeFrom } from './value.ts';

const BLOCK_RULE =
  'must be an address such as 203.0.113.7, or a block of addresses such as 10.0.0.0/8 or 2001:db8::/32';
const ENDS_RULE = 'must be a block whose address is 0 behind its prefix';
const SPELLING_RULE = 'must be spelt in the usual way';
const LIST_RULE = `must hold 1 to ${MAX_ADDRESS_BLOCKS} addresses or blocks`;
const BITS_4 = 32;
const BITS_6 = 128;
/** Where the IPv4 addresses lie among those of IPv6: ::ffff:0:0/96. */
const MAPPED = 0xffff_0000_0000n;

/** A block of addresses: its first address as a number of so many bits, and how many of them the block's addresses share. */
export interface Block {
  readonly bits: typeof BITS_4 | typeof BITS_6;
  readonly first: bigint;
  readonly length: number;
}

/** An address, alone or with a prefix length, in whatever spelling; null for anything else. */
function parsedBlock(text: string): Block | null {
  const [, address = '', length] = /^([0-9A-Fa-f.:]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const bits = isIPv4(address) ? BITS_4 : isIPv6(address) ? BITS_6 : null;
  if (bits === null || Number(length ?? bits) > bits) return null;
  return { bits, first: bits === BITS_4 ? number4(address) : number6(address), length: Number(length ?? bits) };
}

function number4(address: string): bigint {
  return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function number6(address: string): bigint {
  const [head, tail] = short6(address).split('::') as [string, string?];
  const groups = (part: string | undefined): string[] => (part === undefined || part === '' ? [] : part.split(':'));
  const [before, after] = [groups(head), groups(tail)];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** An IPv6 address as the URL standard writes it: RFC 5952, all of it in groups. */
function short6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/** The one spelling of a block: without bits behind its prefix, and what is IPv4 as IPv4. */
function printed(block: Block): string {
  const { bits, first, length } = plain(block);
  const kept = (first >> BigInt(bits - length)) << BigInt(bits - length);
  return `${printedAddress(bits, kept)}/${length}`;
}

export function printedAddress(bits: Block['bits'], address: bigint): string {
  if (bits === BITS_4) return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 0xffn).join('.');
  const hex = address.toString(16).padStart(32, '0');
  return short6(hex.match(/.{4}/g)!.join(':'));
}

function plain(block: Block): Block {
  if (block.bits === BITS_4 || block.length < 96 || block.first >> 32n !== MAPPED >> 32n) return block;
  return { bits: BITS_4, first: block.first & 0xffff_ffffn, length: block.length - 96 };
}

/** The block that a valid item of a list is, as the module reads it. */
export function compiledBlock(text: string): string {
  return printed(parsedBlock(text)!);
}

/** The same to calculate with; null for what is not valid. */
export function blockOf(text: string | undefined): Block | null {
  return text === undefined || blockRule(text) !== null ? null : parsedBlock(text);
}

/** True when every address of `inner` lies in `outer`. */
export function holdsBlock(outer: Block, inner: Block): boolean {
  const shift = BigInt(outer.bits - outer.length);
  return outer.bits === inner.bits && outer.length <= inner.length && outer.first >> shift === inner.first >> shift;
}

/** The rule that an item of a list breaks, with what to write where that is clear; null for a valid one. */
function blockRule(text: string): string | null {
  const block = parsedBlock(text);
  if (block === null) return BLOCK_RULE;
  const usual = printed(block);
  const whole = plain(block).bits;
  const isAlone = usual.endsWith(`/${whole}`) && !text.includes('/');
  const right = isAlone ? usual.slice(0, usual.lastIndexOf('/')) : usual;
  if (text === right) return null;
  const hasMore =
    block.first !== (block.first >> BigInt(block.bits - block.length)) << BigInt(block.bits - block.length);
  return `${hasMore ? ENDS_RULE : SPELLING_RULE}; write ${quote(right)}`;
}

const block = z
  .string()
  .refine((text) => blockRule(text) === null, { error: ({ input }) => blockRule(String(input))! })
  .meta({
    description: 'An address, or a block of addresses by its first address and the length of its prefix (CIDR).',
    examples: ['203.0.113.7', '10.0.0.0/8', '2001:db8::/32'],
  });

const blocks = (description: string) =>
  z
    .array(block)
    .min(1, { error: LIST_RULE })
    .max(MAX_ADDRESS_BLOCKS, { error: LIST_RULE })
    .meta({ description, uniqueItems: true })
    .optional();

/** From where a consumer may call, or a key may be used. */
export const addresses = z
  .strictObject({
    allow: blocks("The client's address lies in one of these. Default: anywhere."),
    deny: blocks('The client\'s address lies in none of these, whatever "allow" says.'),
  })
  .refine(({ allow, deny }) => allow !== undefined || deny !== undefined, { error: 'must hold allow or deny' })
  .meta({
    description: 'Addresses from which requests come; all others are refused with 403 address_not_allowed.',
    minProperties: 1,
  });

export type Addresses = z.output<typeof addresses>;

const ANONYMOUS_RULE = 'must be deny, allow, or a mapping such as { plan: free, by: address }';
const BY_RULE = 'must be address, or { header: NAME }';

/** Callers without a key: whether they may call, or which plan they have and by what they are counted. */
export const anonymous = z
  .union(
    [
      z.enum(['deny', 'allow']),
      z.strictObject({
        plan: name('The plan of callers without a key; the API offers it.'),
        by: z
          .union(
            [
              z.literal('address'),
              z.strictObject({
                header: headerName().meta({ description: 'A request header; callers with the same value are one.' }),
              }),
            ],
            { error: BY_RULE },
          )
          .default('address')
          .meta({ description: 'What tells such callers apart: their address, or the value of a header.' }),
      }),
    ],
    { error: ANONYMOUS_RULE },
  )
  .default('deny')
  .meta({
    description:
      'allow: a request without any key passes, without identity and quotas. A mapping: it has a plan, counted by address or header.',
  });

/** Where the client's address stands, and how much of it counts as one caller. */
export const clientAddress = z
  .strictObject({
    trustedHops: wholeFrom(
      1,
      MAX_TRUSTED_HOPS,
      "The client's address is this entry of X-Forwarded-For, counted from the right: 1 is what the last proxy wrote. Default: what Envoy takes for it.",
    ).optional(),
    ipv4: wholeFrom(
      1,
      BITS_4,
      'Callers whose IPv4 addresses begin with the same so many bits count as one. Default: 32.',
    ).optional(),
    ipv6: wholeFrom(
      1,
      BITS_6,
      'Callers whose IPv6 addresses begin with the same so many bits count as one. Default: 64.',
    ).optional(),
  })
  .refine((fields) => Object.values(fields).some((value) => value !== undefined), {
    error: 'must hold trustedHops, ipv4 or ipv6',
  })
  .meta({ minProperties: 1 });
