import type { Entity, KongReading } from './entity.ts';
import type { KongDocument, KongPlugin, KongRoute } from './document.ts';

/** Plugins by name and by what they are bound to. Of one name Kong runs one for a request: the most special. */
export class Scopes {
  readonly #plugins = new Map<string, KongPlugin>();
  readonly #numbers = new Map<Entity, number>();
  readonly #hasOwn = new Set<Entity>();
  readonly names = new Set<string>();

  constructor({ plugins }: KongDocument, reading: KongReading) {
    for (const plugin of plugins) {
      const key = this.#key(plugin.name, plugin);
      if (this.#plugins.has(key)) {
        reading.lose(plugin.pointer, 'is left out: the same place has this plugin already');
        continue;
      }
      this.#plugins.set(key, plugin);
      this.names.add(plugin.name);
      if (plugin.consumer !== null) this.#hasOwn.add(plugin.consumer);
      if (plugin.group !== null) this.#hasOwn.add(plugin.group);
    }
  }

  /** True for a consumer or group that some plugin is bound to. */
  hasOwn(entity: Entity): boolean {
    return this.#hasOwn.has(entity);
  }

  /** The plugin that runs for requests without a consumer, or where nothing is bound to consumers. */
  usual(name: string, { service, self: route }: RouteKey): KongPlugin | undefined {
    return this.#first(name, [{ route, service }, { route }, { service }, {}]);
  }

  /** The plugins that may run for a consumer: several only where they are bound to several of the consumer's groups. */
  of(
    name: string,
    { service, self: route }: RouteKey,
    consumer: Entity | null,
    groups: readonly Entity[],
  ): KongPlugin[] {
    const own = (place: Bound): KongPlugin[] => {
      const found = consumer === null ? undefined : this.#at(name, { ...place, consumer });
      return found === undefined ? [] : [found];
    };
    const ofGroups = (place: Bound): KongPlugin[] =>
      groups.flatMap((group) => this.#at(name, { ...place, group }) ?? []);
    const usual = (place: Bound): KongPlugin[] => {
      const found = this.#at(name, place);
      return found === undefined ? [] : [found];
    };
    const tries: readonly (() => KongPlugin[])[] = [
      () => own({ route, service }),
      () => ofGroups({ route, service }),
      () => own({ route }),
      () => own({ service }),
      () => ofGroups({ route }),
      () => ofGroups({ service }),
      () => usual({ route, service }),
      () => own({}),
      () => ofGroups({}),
      () => usual({ route }),
      () => usual({ service }),
      () => usual({}),
    ];
    for (const attempt of tries) {
      const found = attempt();
      if (found.length > 0) return found;
    }
    return [];
  }

  #first(name: string, places: readonly Bound[]): KongPlugin | undefined {
    for (const place of places) {
      const found = this.#at(name, place);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Where a part of the place is not there, nothing can be bound to it. */
  #at(name: string, place: Bound): KongPlugin | undefined {
    if (Object.values(place).some((part) => part === null)) return undefined;
    return this.#plugins.get(this.#key(name, place));
  }

  #key(name: string, { route, service, consumer, group }: Bound): string {
    const parts = [route, service, consumer, group].map((part) => (part ? this.#number(part) : ''));
    return `${parts.join(' ')} ${name}`;
  }

  #number(entity: Entity): number {
    const number = this.#numbers.get(entity) ?? this.#numbers.size + 1;
    this.#numbers.set(entity, number);
    return number;
  }
}

type Bound = Partial<Readonly<Record<'route' | 'service' | 'consumer' | 'group', Entity | null>>>;

/** A route as plugins are bound to it. */
export interface RouteKey {
  readonly self: Entity;
  readonly service: Entity | null;
}

export function routeKey(route: KongRoute): RouteKey {
  return { self: route, service: route.service };
}
