import { blockOf, holdsBlock, type Block } from '../schema/address.ts';
import type { ConsumerDraft, Draft, KeyDraft, Place, PolicyDraft, Report } from './draft.ts';

type AddressesDraft = ReturnType<typeof ofConsumer>;

function ofConsumer(consumer: ConsumerDraft) {
  return consumer.get('addresses');
}

function ofKey(key: KeyDraft) {
  return key.get('addresses');
}

/** An address stands in a list once. */
export function checkAddresses(root: PolicyDraft, report: Report): void {
  for (const consumer of root.get('consumers').entries) {
    checkLists(ofConsumer(consumer), report);
    for (const key of consumer.get('keys').items) checkLists(ofKey(key), report);
  }
}

function checkLists(addresses: AddressesDraft, report: Report): void {
  for (const list of [addresses.get('allow'), addresses.get('deny')]) {
    const seen = new Map<string, Place>();
    for (const item of list.items) {
      const block = blockOf(item.string);
      if (block === null) continue;
      const name = `${block.bits} ${block.first} ${block.length}`;
      const other = seen.get(name);
      if (other !== undefined) report.twice(item, 'must be given once', other);
      else seen.set(name, item);
    }
  }
}

/** Addresses that are allowed for nothing: denied beside it, or outside of what the consumer may call from. */
export function warnOfAddresses(consumer: ConsumerDraft, report: Report): void {
  const outer = ofConsumer(consumer);
  warnOfDenied(outer, outer.get('deny'), report);
  const allowed = blocksIn(outer.get('allow'));
  for (const key of consumer.get('keys').items) {
    const own = ofKey(key);
    warnOfDenied(own, own.get('deny'), report);
    warnOfDenied(own, outer.get('deny'), report);
    if (allowed.length === 0) continue;
    for (const item of own.get('allow').items) {
      const block = blockOf(item.string);
      if (block !== null && !allowed.some((other) => holdsBlock(other, block) || holdsBlock(block, other)))
        report.add(
          item,
          "lies outside of the addresses that the consumer's own list allows, so the key does not work there",
        );
    }
  }
}

function warnOfDenied(addresses: AddressesDraft, denied: Draft<unknown>, report: Report): void {
  const blocks = blocksIn(denied);
  if (blocks.length === 0) return;
  for (const item of addresses.get('allow').items) {
    const block = blockOf(item.string);
    if (block !== null && blocks.some((other) => holdsBlock(other, block)))
      report.add(item, 'is denied as well, and what is denied goes before');
  }
}

function blocksIn(list: Draft<unknown>): Block[] {
  return list.strings.flatMap((text) => blockOf(text) ?? []);
}
