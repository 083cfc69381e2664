import { digestKey, unusableRule } from '../key/key.ts';
import type { Pointer } from '../openapi/loss.ts';
import { member } from '../openapi/spot.ts';
import { consumerNameRule, LABEL } from '../policy/index.ts';
import { leaksIn } from '../policy/secret.ts';
import { MAX_WINDOW_SECONDS } from '../contract/table.ts';
import type { KongDocument, OfConsumer } from './document.ts';
import { type Entity, isFilledInLater, LATER_RULE, type KongReading } from './entity.ts';

export interface WrittenKey {
  readonly id: string;
  readonly digest: string;
  readonly until?: string;
}

const OTHER_CREDENTIALS = [
  ...['basicauth_credentials', 'hmacauth_credentials', 'jwt_secrets', 'oauth2_credentials', 'mtls_auth_credentials'],
  'keyauth_enc_credentials',
];

/** Digits of a digest that make an id for a key that has none. */
const ID_DIGITS = 10;

/** Keys by consumer, as digests. From here on no key is anywhere. */
export function keysOf({ keys }: KongDocument, reading: KongReading): Map<Entity, WrittenKey[]> {
  const owners = new Map<string, OfConsumer>();
  const found = new Map<Entity, WrittenKey[]>();
  for (const one of keys) {
    const digest = digestOf(one, reading);
    if (digest === null) continue;
    const first = owners.get(digest);
    if (first !== undefined) {
      reading.lose(one.pointer, 'is left out: another credential has the same key');
      continue;
    }
    owners.set(digest, one);
    const until = untilOf(one, reading);
    if (until === null) continue;
    const list = found.get(one.consumer) ?? [];
    if (list.length === 0) found.set(one.consumer, list);
    list.push({ id: idOf(one, digest, list), digest, ...(until !== undefined && { until }) });
  }
  return found;
}

function digestOf(one: OfConsumer, reading: KongReading): string | null {
  const pointer = [...one.pointer, 'key'];
  const key = member(one.fields, 'key');
  const lose = (rule: string): null => {
    reading.lose(pointer, `is left out: ${rule}`);
    return null;
  };
  if (key === undefined || key === null)
    return lose('there is no key, so Kong makes one; "tollgate keys issue" does too');
  if (typeof key !== 'string') return lose('it must be a string; in YAML, digits alone need quotes');
  if (isFilledInLater(key)) return lose(`it ${LATER_RULE}; "tollgate keys import" takes keys in bulk`);
  const rule = unusableRule(key);
  return rule === null ? digestKey(key) : lose(rule);
}

/** Kong's own id, which its logs show, or one made of the digest: the same at each import. */
function idOf({ fields }: Entity, digest: string, others: readonly WrittenKey[]): string {
  const given = member(fields, 'id');
  const isFree = (id: string): boolean => others.every((other) => other.id !== id);
  if (
    typeof given === 'string' &&
    LABEL.test(given) &&
    given !== member(fields, 'key') &&
    leaksIn(given).length === 0 &&
    isFree(given)
  )
    return given;
  const digits = digest.replace('sha256:', '');
  for (let length = ID_DIGITS; ; length++) if (isFree(digits.slice(0, length))) return digits.slice(0, length);
}

/** When a credential ends that has a time to live; undefined: never. Null after reporting that nobody knows. */
function untilOf(one: OfConsumer, reading: KongReading): string | undefined | null {
  const seconds = reading.number(one, 'ttl');
  if (seconds === undefined || seconds <= 0) return undefined;
  const begun = reading.number(one, 'created_at');
  if (begun !== undefined && begun > 0 && begun + seconds < 253_402_300_799)
    return `${new Date(Math.floor(begun + seconds) * 1000).toISOString().slice(0, 19)}Z`;
  if (seconds > 100 * MAX_WINDOW_SECONDS) return undefined;
  reading.lose(
    [...one.pointer, 'ttl'],
    'the key is left out: nothing says from when it counts; import it with "until" instead',
  );
  return null;
}

/** Names of consumers. */
export class ConsumerNames {
  readonly #taken = new Set<string>();
  /** What many consumers have and no request depends on: told once. */
  readonly #details = new Map<string, { readonly pointer: Pointer; count: number }>();

  constructor(
    private readonly reading: KongReading,
    /** True for the digest of some key. */
    private readonly isKey: (digest: string) => boolean,
  ) {}

  /** Null after reporting why a consumer is left out. */
  of(consumer: Entity): string | null {
    const { reading } = this;
    const given = ['username', 'custom_id', 'id'].flatMap((field) => {
      const value = member(consumer.fields, field);
      return typeof value === 'string' && value !== '' ? [value.normalize('NFC')] : [];
    });
    const name = given.find((one) => consumerNameRule(one) === null && leaksIn(one).length === 0 && !this.#isKey(one));
    if (name === undefined) {
      const rule =
        given[0] === undefined ? 'it has no name' : (consumerNameRule(given[0]) ?? 'its name must not be a key');
      reading.lose(consumer.pointer, `is left out: ${rule}`);
      return null;
    }
    if (this.#taken.has(name)) {
      reading.lose(consumer.pointer, 'is left out: another consumer has the same name');
      return null;
    }
    this.#taken.add(name);
    if (name !== given[0])
      reading.lose(consumer.pointer, 'gets another name: its own is none that a policy could have');
    this.#reportRest(consumer);
    return name;
  }

  #isKey(text: string): boolean {
    return unusableRule(text) === null && this.isKey(digestKey(text));
  }

  #reportRest(consumer: Entity): void {
    const { reading } = this;
    const at = (field: string): unknown => member(consumer.fields, field);
    if (at('custom_id') && at('username')) this.#count(consumer, 'custom_id');
    if (at('tags')) this.#count(consumer, 'tags');
    for (const field of OTHER_CREDENTIALS)
      if (Array.isArray(at(field)) && (at(field) as unknown[]).length > 0)
        reading.lose([...consumer.pointer, field], 'are not taken over: callers need a key');
  }

  #count({ pointer }: Entity, field: string): void {
    const known = this.#details.get(field);
    if (known === undefined) this.#details.set(field, { pointer: [...pointer, field], count: 1 });
    else known.count++;
  }

  /** To be called after the last consumer. */
  reportDetails(): void {
    for (const [field, { pointer, count }] of this.#details) {
      const others = count === 1 ? '' : `, here and at ${count - 1} others`;
      const instead = field === 'tags' ? 'a policy has no tags' : 'upstreams see x-tollgate-consumer';
      this.reading.note(pointer, `is not taken over${others}: ${instead}`);
    }
  }
}
