import type { Cursor } from './cursor.ts';
import { Offers } from './holding.ts';
import { Names, type Report } from './report.ts';
import { quote } from './secret.ts';
import { epochSeconds } from '../schema/time.ts';

/** SHA-256 of nothing: what a pipeline prints whose first half failed. */
const EMPTY_DIGEST = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Subscriptions must fit their plans, and every key must belong to one consumer. */
export function checkConsumers(root: Cursor, report: Report): void {
  const owners = new Map<string, { name: string; at: Cursor }>();
  const offers = new Offers(root);
  const quotas = new Map(
    root
      .get('plans')
      .entries.map((plan) => [plan.key, new Names(plan.get('quotas').entries.map((quota) => quota.key))]),
  );
  for (const consumer of root.get('consumers').entries) {
    for (const subscription of consumer.get('subscriptions').entries) {
      checkOffer(root, offers, subscription, report);
      checkLimits(root, quotas, subscription, report);
      checkTimes(subscription, report);
    }
    checkIds(consumer, report);
    for (const key of consumer.get('keys').items) {
      checkTimes(key, report);
      checkDigest(key, consumer.key, owners, report);
    }
  }
}

function checkOffer(root: Cursor, offers: Offers, subscription: Cursor, report: Report): void {
  const plan = subscription.get('plan');
  if (
    !root.get('apis').get(subscription.key).given ||
    plan.text === undefined ||
    !root.get('plans').get(plan.text).node
  )
    return;
  const offered = offers.plansOf(subscription.key);
  if (!offered.has(plan.text)) report.add(plan, `must be a plan that the API offers${offered.hint}`);
}

function checkLimits(root: Cursor, quotas: ReadonlyMap<string, Names>, subscription: Cursor, report: Report): void {
  const plan = root.get('plans').get(subscription.get('plan').text ?? '');
  if (plan.node === undefined) return;
  for (const limit of subscription.get('limits').entries) {
    const quota = plan.get('quotas').get(limit.key);
    if (!quota.given)
      report.add(limit, `must be a quota of the plan "${plan.key}"${quotas.get(plan.key)!.hint}`, limit.key);
    else if (quota.get('burst').given)
      report.add(limit, 'must not be a quota with a burst, whose limit cannot be replaced', limit.key);
  }
}

function checkTimes(place: Cursor, report: Report): void {
  const from = epochSeconds(place.get('from').text ?? '');
  const until = epochSeconds(place.get('until').text ?? '');
  if (from !== null && until !== null && until <= from)
    report.add(place.get('until'), `must be after "from" (${place.get('from').text!})`);
}

function checkIds(consumer: Cursor, report: Report): void {
  const seen = new Map<string, Cursor>();
  for (const key of consumer.get('keys').items) {
    const id = key.get('id');
    if (id.text === undefined) continue;
    const other = seen.get(id.text);
    if (other !== undefined) report.twice(id, 'must be the only key of this id of its consumer', other, id.text);
    else seen.set(id.text, id);
  }
}

function checkDigest(
  key: Cursor,
  consumer: string,
  owners: Map<string, { name: string; at: Cursor }>,
  report: Report,
): void {
  const digest = key.get('digest');
  if (digest.text === undefined || !digest.text.startsWith('sha256:')) return;
  if (digest.text === EMPTY_DIGEST) report.add(digest, 'must not be the digest of an empty key', null);
  const owner = owners.get(digest.text);
  if (owner !== undefined)
    report.twice(digest, `must be the digest of one key; ${owner.name} has it already`, owner.at, null);
  else owners.set(digest.text, { name: `${keyName(key)} of consumer ${quote(consumer)}`, at: digest });
}

function keyName(key: Cursor): string {
  const id = key.get('id').text;
  return id === undefined ? 'a key' : `key ${quote(id)}`;
}
