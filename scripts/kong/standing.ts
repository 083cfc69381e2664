import { member } from '../openapi/spot.ts';
import { groupName, type Acl, type Standing } from './access.ts';
import type { KongDocument } from './document.ts';
import type { Entity, KongReading } from './entity.ts';
import type { Scopes } from './scope.ts';

/** What decides about each consumer: groups and plugins of its own, where anything asks for them. */
export class Standings {
  readonly #acls = new Map<Entity, string[]>();
  readonly #groups = new Map<Entity, Entity[]>();
  readonly #known = new Map<string, Standing>();

  constructor(
    { acls, memberships }: KongDocument,
    private readonly scopes: Scopes,
    reading: KongReading,
  ) {
    for (const one of acls) {
      const group = reading.string(one, 'group');
      if (group !== undefined) pushInto(this.#acls, one.consumer, group);
    }
    for (const { consumer, group } of memberships) pushInto(this.#groups, consumer, group);
  }

  /** In full. */
  of(consumer: Entity): Standing {
    return { consumer, groups: this.#groups.get(consumer) ?? [], acls: this.#acls.get(consumer) ?? [] };
  }

  /**
   * The same object for consumers that are treated alike: `acls` are those that the document has. Plugins of a consumer's own are told
   * apart by what they say.
   */
  alike(consumer: Entity, acls: readonly Acl[], asked: ReadonlySet<string>): { key: string; standing: Standing } {
    const all = this.of(consumer);
    const isAsked = acls.some(({ withConsumerGroups }) => withConsumerGroups);
    const groups = [...new Set(all.groups)].filter(
      (group) => this.scopes.hasOwn(group) || (isAsked && asked.has(groupName(group))),
    );
    const names = [...new Set(all.acls)].filter((group) => asked.has(group)).sort();
    const own = this.scopes.hasOwn(consumer) ? consumer : null;
    const standing = {
      consumer: own,
      groups: groups.sort((a, b) => (groupName(a) < groupName(b) ? -1 : 1)),
      acls: names,
    };
    const key = JSON.stringify([standing.groups.map(idOf), names, own === null ? '' : idOf(own)]);
    const known = this.#known.get(key);
    if (known !== undefined) return { key, standing: known };
    this.#known.set(key, standing);
    return { key, standing };
  }
}

function idOf(entity: Entity): string {
  return entity.pointer.join('/');
}

function pushInto<T>(map: Map<Entity, T[]>, consumer: Entity, item: T): void {
  const list = map.get(consumer);
  if (list === undefined) map.set(consumer, [item]);
  else list.push(item);
}

/** The name of a consumer in the document, for naming what is made for it alone. */
export function usernameOf(consumer: Entity): string | undefined {
  const name = member(consumer.fields, 'username') ?? member(consumer.fields, 'custom_id');
  return typeof name === 'string' ? name : undefined;
}
