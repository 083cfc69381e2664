import { blockOf, holdsBlock, type Block } from '../schema/address.ts';
import { nominalSeconds } from '../../contract/table.ts';
import { offeredPlans } from './consumers.ts';
import type { ConsumerDraft, Draft, KeyDraft, Place, PolicyDraft, QuotaDraft, Report } from './draft.ts';
import { hasMeshScope } from './quotas.ts';

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

/** What callers without a key have: a plan that the API offers, and quotas that can be counted for everybody who comes. */
export function checkVisitors(root: PolicyDraft, report: Report): void {
  const offeredBy = offeredPlans(root);
  for (const api of root.get('apis').entries) {
    const plan = api.get('anonymous').get('plan');
    const held = root.get('plans').named(plan.string ?? '');
    if (plan.string === undefined || held.value === undefined) continue;
    const offered = offeredBy(api.key);
    if (!offered.has(plan.string)) report.add(plan, `must be a plan that the API offers${offered.hint}`);
    const perKey = held.get('quotas').entries.find((quota) => quota.get('per').string === 'key');
    if (perKey !== undefined)
      report.add(plan, `must be a plan without quotas per key; ${perKey.key} is one, and these callers have none`);
    if (held.get('concurrency').get('per').string === 'key')
      report.add(plan, 'must be a plan whose concurrency is not per key: these callers have none');
    const operations = api.get('operations').entries.flatMap((operation) => operation.get('quotas').entries);
    const mesh = [
      ...held.get('quotas').entries.filter((quota) => quota.get('scope').string === 'mesh'),
      ...operations.filter((quota) => quota.get('scope').string === 'mesh'),
    ][0];
    if (mesh !== undefined)
      report.add(
        plan,
        `must stand where no quota has "scope: mesh"; ${mesh.key} has, and a rate limit service would keep a counter for every address`,
      );
  }
}

/** Quotas by address can be counted where the number of counters is bounded. */
export function checkAddressQuotas(root: PolicyDraft, report: Report): void {
  for (const quota of quotasByAddress(root))
    if (hasMeshScope(quota))
      report.add(
        quota.get('per'),
        'must not go with "scope: mesh": a rate limit service would keep a counter for every address; use "scope: envoy"',
      );
}

function quotasByAddress(root: PolicyDraft): QuotaDraft[] {
  const quotas = root.get('plans').entries.flatMap((plan) => plan.get('quotas').entries);
  return quotas.filter((quota) => quota.get('per').string === 'address');
}

/** Addresses that may be those of a load balancer, and windows that keep the counters of addresses for long. */
export function warnOfAddressQuotas(root: PolicyDraft, report: Report): void {
  const flights = root
    .get('plans')
    .entries.map((plan) => plan.get('concurrency').get('per'))
    .filter((per) => per.string === 'address');
  const isToldWhere = root.get('clientAddress').given || root.get('targets').items.length === 0;
  for (const per of [...quotasByAddress(root).map((quota) => quota.get('per')), ...flights])
    if (!isToldWhere)
      report.add(
        per,
        'counts the address that Envoy takes for the client\'s, which behind a load balancer is the balancer\'s: then all callers of a consumer share a counter; say in "clientAddress" where the address stands, or "clientAddress: { ipv4: 32 }" if Envoy knows it',
        null,
      );
  for (const quota of quotasByAddress(root))
    if (isLong(quota))
      report.add(
        quota.get('window'),
        'is longer than a day: each address keeps its place in a table of 131,072 until its window is over, and those that find none share a counter',
      );
}

function isLong(quota: QuotaDraft): boolean {
  return (nominalSeconds(quota.get('window').string ?? '') ?? 0) > DAY_SECONDS;
}

const DAY_SECONDS = 86_400;

/** A caller has its place until the window is over, so long windows fill the table with callers who have gone. */
export function warnOfVisitors(root: PolicyDraft, report: Report): void {
  for (const api of root.get('apis').entries) {
    const plan = api.get('anonymous').get('plan');
    const quotas = root
      .get('plans')
      .named(plan.string ?? '')
      .get('quotas').entries;
    const long = quotas.find((quota) => quota.get('per').string !== 'address' && isLong(quota));
    if (plan.string !== undefined && long !== undefined)
      report.add(
        plan,
        `has the quota ${long.key}, whose window is longer than a day: each caller without a key keeps its place in a table of 131,072 until its window is over, and those who find none share a counter`,
        null,
      );
  }
}
