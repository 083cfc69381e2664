import { isDeepStrictEqual } from 'node:util';
import { MAX_KEY_SOURCES } from '../contract/table.ts';
import { NO_SCHEME } from '../policy/schema/keySource.ts';
import { isUsable, type KeySource } from '../openapi/security.ts';
import { quoted } from '../openapi/loss.ts';
import type { KongPlugin } from './document.ts';
import { isFilledInLater, type KongReading } from './entity.ts';

const REALM = /^(?! )[ !#-[\]-~]{1,127}(?<! )$/;

/** What key-auth plugins say of keys: the policy gets what most of its APIs have, the others keep their own. */
export interface KeyPlaces {
  readonly keySources: readonly KeySource[];
  /** True: Kong leaves keys in requests. */
  readonly forwardKey: boolean;
  readonly realm: string | null;
}

/** An API that asks for keys, with the plugins of its routes. */
export interface KeyedApi {
  readonly name: string;
  readonly plugins: readonly KongPlugin[];
}

/** Fields of an API, where they are not what the policy says. */
export type OwnPlaces = Partial<Pick<KeyPlaces, 'keySources' | 'forwardKey'>>;

/** The places that a new policy names: Kong's own default where nothing asks for a key. */
export function writtenKeySources({ keySources }: Pick<KeyPlaces, 'keySources'>): readonly KeySource[] {
  return keySources.length > 0 ? keySources : [{ header: 'apikey' }];
}

/** `apis`: those that are served; `own`: by their names. */
export function keyPlacesOf(
  apis: readonly KeyedApi[],
  reading: KongReading,
): { usual: KeyPlaces; own: ReadonlyMap<string, OwnPlaces> } {
  const keyed = apis.filter(({ plugins }) => plugins.length > 0);
  const plugins = [...new Set(keyed.flatMap((api) => api.plugins))];
  const places = new Map(plugins.map((plugin) => [plugin, placesOf(plugin, reading)] as const));
  const found = keyed.map((api) => ({
    name: api.name,
    keySources: placesOfApi(api, places, reading),
    forwardKey: forwards(api, reading),
  }));
  const usual = {
    keySources: mostCommon(found.map(({ keySources }) => keySources).filter((list) => list.length > 0)) ?? [],
    forwardKey: mostCommon(found.map(({ forwardKey }) => forwardKey)) ?? false,
  };
  const own = found.map(({ name, keySources, forwardKey }): readonly [string, OwnPlaces] => [
    name,
    {
      ...(keySources.length > 0 && !isDeepStrictEqual(keySources, usual.keySources) && { keySources }),
      ...(forwardKey !== usual.forwardKey && { forwardKey }),
    },
  ]);
  return { usual: { ...usual, realm: realmOf(plugins, reading) }, own: new Map(own) };
}

/** The first of those that are there most often. */
function mostCommon<T>(values: readonly T[]): T | null {
  const counts = new Map<string, { readonly value: T; count: number }>();
  for (const value of values) {
    const entry = counts.get(JSON.stringify(value)) ?? { value, count: 0 };
    entry.count++;
    counts.set(JSON.stringify(value), entry);
  }
  return [...counts.values()].sort((a, b) => b.count - a.count)[0]?.value ?? null;
}

export const SHARED_RULE = 'routes that share paths look for keys in the places of all of them';

/** Routes that share paths are one API, which looks in the places of all of them. */
function placesOfApi(
  { plugins }: KeyedApi,
  places: ReadonlyMap<KongPlugin, readonly KeySource[]>,
  reading: KongReading,
): KeySource[] {
  const sources: KeySource[] = [];
  const lists = new Set<string>();
  for (const plugin of plugins) {
    const own = places.get(plugin)!;
    lists.add(JSON.stringify(own));
    for (const source of own) {
      if (sources.some((other) => isDeepStrictEqual(other, source))) continue;
      if (sources.length < MAX_KEY_SOURCES) sources.push(source);
      else
        reading.lose(
          [...plugin.config.pointer, 'key_names'],
          `an API looks for keys in at most ${MAX_KEY_SOURCES} places`,
        );
    }
  }
  if (lists.size > 1) for (const { config } of plugins) reading.lose([...config.pointer, 'key_names'], SHARED_RULE);
  return sources;
}

function placesOf({ config }: KongPlugin, reading: KongReading): KeySource[] {
  if (reading.flag(config, 'key_in_body', false))
    reading.lose([...config.pointer, 'key_in_body'], 'keys in bodies are not found: callers send them in a header');
  const names = reading.strings(config, 'key_names') ?? ['apikey'];
  const [inHeader, inQuery] = ['key_in_header', 'key_in_query'].map((field) => reading.flag(config, field, true));
  return names.flatMap((name, index) => {
    const pointer = [...config.pointer, 'key_names', index];
    const found: KeySource[] = [];
    if (inHeader) found.push(headerOf(name.toLowerCase()));
    if (inQuery) found.push({ query: name });
    return found.filter((source) => {
      if (!isFilledInLater(name) && isUsable(source)) return true;
      reading.lose(pointer, `is no place where a policy could look for a key; found ${quoted(name)}`);
      return false;
    });
  });
}

function headerOf(header: string): KeySource {
  return header === 'authorization' ? { authorization: NO_SCHEME } : { header };
}

function forwards({ plugins }: KeyedApi, reading: KongReading): boolean {
  const hidden = plugins.map(({ config }) => reading.flag(config, 'hide_credentials', false));
  if (!hidden.includes(true)) return true;
  for (const [index, { config }] of plugins.entries())
    if (!hidden[index])
      reading.lose(
        [...config.pointer, 'hide_credentials'],
        'the key is taken off requests here too, as on the routes that share paths with this one',
      );
  return false;
}

function realmOf(plugins: readonly KongPlugin[], reading: KongReading): string | null {
  const realms = new Set(plugins.map(({ config }) => reading.string(config, 'realm') ?? ''));
  const [realm] = realms;
  if (realms.size === 1 && realm !== undefined && REALM.test(realm)) return realm;
  for (const { config } of plugins)
    if (reading.string(config, 'realm') !== undefined)
      reading.note([...config.pointer, 'realm'], 'is not taken over: a policy has one realm, or the names of its APIs');
  return null;
}
