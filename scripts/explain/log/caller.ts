import { createHash, randomBytes } from 'node:crypto';
import type {
  AddressesConfig,
  ApiConfig,
  ConsumerConfig,
  KeySourceConfig,
  PluginConfig,
  TokenConfig,
} from '../../contract/pluginConfig.ts';
import { CONSUMER_CLAIM } from '../../contract/table.ts';
import type { CallerFacts, Pair } from '../../host/stream.ts';
import { placedKey } from '../../policy/compile/keySource.ts';
import { factsOf } from '../caller.ts';
import { addressWithin } from './address.ts';
import type { LogEntry } from './entry.ts';

/** How the log says who called. */
export type Known = 'caller' | 'no caller' | 'gone';

export interface Sent {
  readonly known: Known;
  /** Keys to send; none, one, or two that differ. */
  readonly keys: readonly string[];
  /** Certificate and token. */
  readonly facts: CallerFacts;
  /** Where the caller is counted or kept out by its address: one that passes; null where there is none, or no such list. */
  readonly address: string | null;
  readonly isByAddress: boolean;
}

/** Characters that no key has. */
const MALFORMED = '\xe9';

const UNKNOWN_WORKLOAD = 'spiffe://replay/unknown';

/**
 * Callers of a log, whose keys nobody knows: each key of the policy gets a second one beside it, made up for this replay, of the same
 * consumer and with the same dates; and each consumer gets one without dates, for lines that name no key. Made up at random, so that
 * nothing in a log can hit one. Workloads and owners of tokens are named in a log, and come as if Envoy had verified them.
 */
export class Callers {
  readonly config: PluginConfig;
  private readonly secret = randomBytes(18).toString('base64url');
  private readonly keys = new Map<string, string>();
  private readonly consumers: ReadonlyMap<string, ConsumerConfig>;
  private readonly tokens: ReadonlyMap<string, TokenConfig>;
  private readonly scopes: string;
  private readonly countsAddresses: boolean;
  private readonly found = new Map<string, string | null>();
  private made = 0;

  constructor(config: PluginConfig) {
    this.config = {
      ...config,
      // a line does not say where the key was, so that all APIs look in the same places
      apis: config.apis.map(withoutSources),
      consumers: config.consumers.map((listed) => {
        const consumer = withoutOrigins(listed);
        const own = consumer.keys ?? [];
        const twins = own.map((key) => ({ ...key, digest: this.digestFor(consumer.name, key.id) }));
        return { ...consumer, keys: [...own, ...twins, { id: 'replay', digest: this.digestFor(consumer.name, null) }] };
      }),
    };
    this.consumers = new Map(config.consumers.map((consumer) => [consumer.name, consumer]));
    this.tokens = new Map((config.tokens ?? []).map((token) => [token.name, token]));
    this.scopes = [
      ...new Set(config.apis.flatMap(({ operations = [] }) => operations.flatMap((one) => one.scopes ?? []))),
    ].join(' ');
    this.countsAddresses = config.apis.some(
      ({ anonymousPlan }) => anonymousPlan !== undefined && anonymousPlan.header === undefined,
    );
  }

  has(consumer: string): boolean {
    return this.keys.has(nameOf(consumer, null));
  }

  /** What the caller of a line sends. `stranger`: who called where the log does not say. */
  sentBy(entry: LogEntry, stranger: string | null): Sent {
    const { consumer, keyId, plan, reason } = entry;
    const owner = consumer === null ? undefined : this.consumers.get(consumer);
    if (owner !== undefined) return this.ownedBy(owner, entry);
    // whose key or whose consumer the policy no longer has
    if (consumer !== null) return sent('gone', [this.unknown()]);
    if (reason === 'unknown_api_key') return sent('caller', [this.unknown()]);
    if (reason === 'malformed_api_key') return sent('caller', [MALFORMED]);
    if (reason === 'ambiguous_api_key') return sent('caller', [this.unknown(), `${this.unknown()}2`]);
    if (reason === 'unknown_workload') return sent('caller', [], factsOf([keyId ?? UNKNOWN_WORKLOAD]));
    if (reason === 'unknown_subject') {
      const [token] = this.tokens.values();
      return sent('caller', [], token && factsOf([], this.claims(token, keyId ?? this.unknown(), entry)));
    }
    // Tollgate saw these requests, and found no key in them
    const isVisitors = plan !== null || reason === 'anonymous';
    if (isVisitors || reason === 'missing_api_key' || reason === 'missing_credential')
      return { ...sent('caller', []), isByAddress: this.countsAddresses };
    const assumed = stranger === null ? undefined : this.consumers.get(stranger);
    if (assumed !== undefined) return { ...this.ownedBy(assumed, { ...entry, keyId: null }), known: 'no caller' };
    return { ...sent('no caller', []), isByAddress: this.countsAddresses };
  }

  /** With the key that the line names, or the workload or the token; with one of each that the consumer has where it names none. */
  private ownedBy(owner: ConsumerConfig, entry: LogEntry): Sent {
    const { name, workloads = [], tokens = [], addresses } = owner;
    const { keyId } = entry;
    const key = this.keys.get(nameOf(name, keyId));
    const workload = workloads.find((id) => keyId === null || id === keyId);
    const subject = tokens
      .flatMap(({ issuer, subjects }) => subjects.map((of) => ({ issuer, of })))
      .find(({ of }) => keyId === null || of === keyId);
    if (key === undefined && workload === undefined && subject === undefined) return sent('gone', [this.unknown()]);
    const claims = subject && this.claims(this.tokens.get(subject.issuer)!, subject.of, entry);
    const ofKey = owner.keys?.find(({ id }) => id === keyId)?.addresses;
    const lists = [ofKey, addresses].filter((list) => list !== undefined);
    return {
      ...sent('caller', key === undefined ? [] : [key], factsOf(workload === undefined ? [] : [workload], claims)),
      address: this.addressOf(nameOf(name, keyId), lists),
      isByAddress: lists.length > 0,
    };
  }

  /** What such a token said: of its scopes a log tells no more than whether one was missing. */
  private claims(
    { issuer, audiences, consumer, plan, scopes }: TokenConfig,
    owner: string,
    { plan: had, reason }: LogEntry,
  ): Record<string, string> {
    return {
      iss: issuer,
      ...(audiences && { aud: audiences[0]! }),
      ...(plan !== undefined && had !== null && { [plan]: had }),
      ...(scopes !== undefined && reason !== 'missing_scope' && { [scopes]: this.scopes }),
      [consumer ?? CONSUMER_CLAIM]: owner,
    };
  }

  private addressOf(name: string, lists: readonly AddressesConfig[]): string | null {
    let address = this.found.get(name);
    if (address === undefined) this.found.set(name, (address = addressWithin(lists)));
    return address;
  }

  private unknown(): string {
    return `${this.secret}-unknown`;
  }

  private digestFor(consumer: string, id: string | null): string {
    const key = `${this.secret}-${++this.made}`;
    this.keys.set(nameOf(consumer, id), key);
    return createHash('sha256').update(key).digest('hex');
  }
}

function withoutSources(api: ApiConfig): ApiConfig {
  const { keySources, ...rest } = api;
  return keySources === undefined ? api : rest;
}

function withoutOrigins(consumer: ConsumerConfig): ConsumerConfig {
  const { origins, ...rest } = consumer;
  return origins === undefined ? consumer : rest;
}

function sent(known: Known, keys: readonly string[], facts: CallerFacts = {}): Sent {
  return { known, keys, facts, address: null, isByAddress: false };
}

/** Neither part holds a space. */
function nameOf(consumer: string, id: string | null): string {
  return `${consumer} ${id ?? ''}`;
}

/** The request's path and headers with these keys, where the policy looks for them. */
export function placeKeys(
  source: KeySourceConfig,
  path: string,
  keys: readonly string[],
): { path: string; headers: Pair[] } {
  const all = keys.map((key) => placedKey(source, key));
  const pairs = all.flatMap(({ query }) => query ?? []).join('&');
  return {
    path: pairs === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${pairs}`,
    headers: all.flatMap(({ headers }) => headers),
  };
}
