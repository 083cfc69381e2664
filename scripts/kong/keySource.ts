import { MAX_KEY_SOURCES, SCHEMES } from '../contract/table.ts';
import { isUsable, type KeySource } from '../openapi/security.ts';
import { quoted } from '../openapi/loss.ts';
import type { KongPlugin } from './document.ts';
import { isFilledInLater, type KongReading } from './entity.ts';

const REALM = /^(?! )[ !#-[\]-~]{1,127}(?<! )$/;

/** What all key-auth plugins together mean for a policy, which has one list of places for all its APIs. */
export interface KeyPlaces {
  readonly keySources: readonly KeySource[];
  /** True: Kong leaves keys in requests. */
  readonly forwardKey: boolean;
  readonly realm: string | null;
}

/** The places that a new policy names: Kong's own default where nothing asks for a key. */
export function writtenKeySources({ keySources }: Pick<KeyPlaces, 'keySources'>): readonly KeySource[] {
  return keySources.length > 0 ? keySources : [{ header: 'apikey' }];
}

/** `plugins`: those that routes use. */
export function keyPlacesOf(plugins: readonly KongPlugin[], reading: KongReading): KeyPlaces {
  const sources: KeySource[] = [];
  const lists = new Set<string>();
  for (const plugin of plugins) {
    const { config } = plugin;
    if (reading.flag(config, 'key_in_body', false))
      reading.lose([...config.pointer, 'key_in_body'], 'keys in bodies are not found: callers send them in a header');
    const own = placesOf(plugin, reading);
    lists.add(JSON.stringify(own));
    for (const source of own) {
      if (sources.some((other) => JSON.stringify(other) === JSON.stringify(source))) continue;
      if (sources.length < MAX_KEY_SOURCES) sources.push(source);
      else
        reading.lose([...config.pointer, 'key_names'], `a policy looks for keys in at most ${MAX_KEY_SOURCES} places`);
    }
  }
  if (lists.size > 1)
    for (const { config } of plugins)
      reading.note([...config.pointer, 'key_names'], 'a policy looks for keys in the same places on all its APIs');
  return { keySources: sources, forwardKey: forwards(plugins, reading), realm: realmOf(plugins, reading) };
}

function placesOf({ config }: KongPlugin, reading: KongReading): KeySource[] {
  const names = reading.strings(config, 'key_names') ?? ['apikey'];
  const [inHeader, inQuery] = ['key_in_header', 'key_in_query'].map((field) => reading.flag(config, field, true));
  return names.flatMap((name, index) => {
    const pointer = [...config.pointer, 'key_names', index];
    const found: KeySource[] = [];
    if (inHeader) found.push(headerOf(name.toLowerCase(), (rule) => reading.lose(pointer, rule)));
    if (inQuery) found.push({ query: name });
    return found.filter((source) => {
      if (!isFilledInLater(name) && isUsable(source)) return true;
      reading.lose(pointer, `is no place where a policy could look for a key; found ${quoted(name)}`);
      return false;
    });
  });
}

function headerOf(header: string, lose: (rule: string) => void): KeySource {
  if (header !== 'authorization') return { header };
  lose(`is the Authorization header, in which a policy wants a scheme before the key: ${SCHEMES.join(' or ')}`);
  return { authorization: SCHEMES[0] };
}

/** What keys are to upstreams is the policy's business as a whole. */
function forwards(plugins: readonly KongPlugin[], reading: KongReading): boolean {
  const hidden = plugins.map(({ config }) => reading.flag(config, 'hide_credentials', false));
  if (!hidden.includes(true)) return plugins.length > 0;
  for (const [index, { config }] of plugins.entries())
    if (!hidden[index])
      reading.lose(
        [...config.pointer, 'hide_credentials'],
        'the key is taken off requests here too: a policy forwards keys everywhere or nowhere (forwardKey)',
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
