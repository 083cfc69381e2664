import type { AddressesConfig } from '../../contract/pluginConfig.ts';
import { blockOf, holdsBlock, printedAddress, type Block } from '../../policy/schema/address.ts';

/** An address that all of these lists let call; null where there is none, or none is needed. */
export function addressWithin(lists: readonly AddressesConfig[]): string | null {
  const blocksOf = (texts: readonly string[]): Block[] => texts.flatMap((text) => blockOf(text) ?? []);
  const allowed = lists.flatMap(({ allow }) => (allow === undefined ? [] : [blocksOf(allow)]));
  const denied = lists.flatMap(({ deny = [] }) => blocksOf(deny));
  const lies = (address: Block, blocks: readonly Block[]): boolean =>
    blocks.some((block) => holdsBlock(block, address));
  const found = allowed
    .flat()
    .flatMap(endsOf)
    .find((address) => allowed.every((blocks) => lies(address, blocks)) && !lies(address, denied));
  return found === undefined ? null : printedAddress(found.bits, found.first);
}

/** Its first and its last address. */
function endsOf({ bits, first, length }: Block): Block[] {
  const last = first + (1n << BigInt(bits - length)) - 1n;
  return [first, last].map((address) => ({ bits, first: address, length: bits }));
}
