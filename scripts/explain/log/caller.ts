import { createHash, randomBytes } from 'node:crypto';
import type { ApiConfig, KeySourceConfig, PluginConfig } from '../../contract/pluginConfig.ts';
import type { Pair } from '../../host/stream.ts';
import { placedKey } from '../../policy/compile/keySource.ts';
import type { LogEntry } from './entry.ts';

/** How the log says who called. */
export type Known = 'caller' | 'no caller' | 'gone';

export interface Sent {
  readonly known: Known;
  /** Keys to send; none, one, or two that differ. */
  readonly keys: readonly string[];
}

/** Characters that no key has. */
const MALFORMED = '\xe9';

/**
 * Callers of a log, whose keys nobody knows: each key of the policy gets a second one beside it, made up for this replay, of the same
 * consumer and with the same dates; and each consumer gets one without dates, for lines that name no key. Made up at random, so that
 * nothing in a log can hit one.
 */
export class Callers {
  readonly config: PluginConfig;
  private readonly secret = randomBytes(18).toString('base64url');
  private readonly keys = new Map<string, string>();
  private made = 0;

  constructor(config: PluginConfig) {
    this.config = {
      ...config,
      // a line does not say where the key was, so that all APIs look in the same places
      apis: config.apis.map(withoutSources),
      consumers: config.consumers.map((consumer) => {
        const own = consumer.keys ?? [];
        const twins = own.map((key) => ({ ...key, digest: this.digestFor(consumer.name, key.id) }));
        return { ...consumer, keys: [...own, ...twins, { id: 'replay', digest: this.digestFor(consumer.name, null) }] };
      }),
    };
  }

  has(consumer: string): boolean {
    return this.keys.has(nameOf(consumer, null));
  }

  /** What the caller of a line sends. `stranger`: who called where the log does not say. */
  sentBy({ consumer, keyId, reason }: LogEntry, stranger: string | null): Sent {
    const key = consumer === null ? undefined : this.keys.get(nameOf(consumer, keyId));
    if (key !== undefined) return { known: 'caller', keys: [key] };
    // whose key or whose consumer the policy no longer has
    if (consumer !== null) return { known: 'gone', keys: [this.unknown()] };
    if (reason === 'unknown_api_key') return { known: 'caller', keys: [this.unknown()] };
    if (reason === 'malformed_api_key') return { known: 'caller', keys: [MALFORMED] };
    if (reason === 'ambiguous_api_key') return { known: 'caller', keys: [this.unknown(), `${this.unknown()}2`] };
    // Tollgate saw these requests, and found no key in them
    if (reason === 'missing_api_key' || reason === 'anonymous') return { known: 'caller', keys: [] };
    const assumed = stranger === null ? undefined : this.keys.get(nameOf(stranger, null));
    return { known: 'no caller', keys: assumed === undefined ? [] : [assumed] };
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
