import { quoted } from '../openapi/loss.ts';
import { isPlainFields, member, type PlainFields } from '../openapi/spot.ts';
import { type Entity, KongReading } from './entity.ts';
import { KongError } from './error.ts';

export const KIND = 'a declarative configuration of Kong';

const VERSIONS = ['1.1', '2.1', '3.0'];

/** A plugin, and everything that it is bound to. */
export interface KongPlugin extends Entity {
  readonly name: string;
  readonly config: Entity;
  readonly route: Entity | null;
  readonly service: Entity | null;
  readonly consumer: Entity | null;
  readonly group: Entity | null;
}

export interface KongRoute extends Entity {
  readonly service: Entity | null;
}

/** Something that stands under a consumer, or beside them with the consumer's name. */
export interface OfConsumer extends Entity {
  readonly consumer: Entity;
}

/** A document with its references followed: wherever a thing may stand, here it is in one list. */
export interface KongDocument {
  readonly version: string;
  readonly services: readonly Entity[];
  readonly routes: readonly KongRoute[];
  readonly consumers: readonly Entity[];
  readonly groups: readonly Entity[];
  readonly plugins: readonly KongPlugin[];
  readonly upstreams: readonly Entity[];
  readonly targets: readonly (Entity & { readonly upstream: Entity })[];
  readonly keys: readonly OfConsumer[];
  /** By the ACL plugin's groups. */
  readonly acls: readonly OfConsumer[];
  readonly memberships: readonly { readonly consumer: Entity; readonly group: Entity }[];
  /** Consumer by username, custom id or id. */
  readonly consumerNamed: (name: string) => Entity | undefined;
}

const KNOWN_FIELDS = new Set([
  ...['services', 'routes', 'consumers', 'consumer_groups', 'plugins', 'upstreams', 'targets'],
  ...['keyauth_credentials', 'acls', 'consumer_group_plugins', 'consumer_group_consumers'],
]);
/** What says nothing about requests, or is applied where it is used. */
const QUIET_FIELDS = new Set([
  ...['_format_version', '_transform', '_info', '_plugin_configs', '_comment', '_ignore', '_workspace', '_konnect'],
  ...['licenses', 'workspaces', 'parameters', 'clustering_data_planes'],
]);

export function readKong(value: unknown, reading: KongReading): KongDocument {
  if (!isPlainFields(value)) throw new KongError(`${reading.file}: must be ${KIND}; found ${quoted(value)}`);
  return new DocumentReader(value, reading).read();
}

function versionOf(root: PlainFields, file: string): string {
  const given = member(root, '_format_version');
  const version = typeof given === 'number' ? given.toFixed(1) : given;
  if (typeof version === 'string' && VERSIONS.includes(version)) return version;
  if (given === undefined)
    throw new KongError(`${file}: must be ${KIND}, with a field "_format_version"${hintOf(root)}`);
  throw new KongError(`${file}: must have "_format_version" 1.1, 2.1 or 3.0; found ${quoted(given)}`);
}

function hintOf(root: PlainFields): string {
  if (member(root, 'openapi') !== undefined || member(root, 'swagger') !== undefined)
    return '; "tollgate import openapi" reads OpenAPI documents';
  if (member(root, 'apiVersion') !== undefined && member(root, 'kind') !== undefined)
    return '; of resources for Kubernetes, "deck gateway dump" makes one';
  return '';
}

/** Names of one kind of entity. */
class Index {
  readonly #byName = new Map<string, Entity>();

  constructor(
    private readonly reading: KongReading,
    private readonly kind: string,
    private readonly nameFields: readonly string[],
  ) {}

  /** False after reporting that the name is taken; what refers to it means the first. */
  add(entity: Entity): boolean {
    const names = [...this.nameFields, 'id'].map((field) => member(entity.fields, field));
    const [first] = names;
    if (typeof first === 'string' && this.#byName.get(first) !== undefined) {
      this.reading.lose(entity.pointer, `is left out: another ${this.kind} has the same name`);
      return false;
    }
    for (const name of names) if (typeof name === 'string' && !this.#byName.has(name)) this.#byName.set(name, entity);
    return true;
  }

  named(name: string): Entity | undefined {
    return this.#byName.get(name);
  }

  /** What a field refers to: by name, by id, or as a mapping with one of them. Undefined: it names nothing that is there. */
  at(of: Entity, field: string): Entity | null | undefined {
    const value = member(of.fields, field);
    if (value === undefined || value === null) return null;
    const given = isPlainFields(value)
      ? ['id', ...this.nameFields].map((name) => member(value, name)).find((name) => typeof name === 'string')
      : value;
    const found = typeof given === 'string' ? this.#byName.get(given) : undefined;
    if (found === undefined) this.reading.lose([...of.pointer, field], `names no ${this.kind} of the document`);
    return found;
  }
}

class DocumentReader {
  readonly #root: Entity;
  readonly #services: Index;
  readonly #routes: Index;
  readonly #consumers: Index;
  readonly #groups: Index;
  readonly #upstreams: Index;
  readonly #plugins: KongPlugin[] = [];
  readonly #keys: OfConsumer[] = [];
  readonly #acls: OfConsumer[] = [];
  readonly #memberships: { consumer: Entity; group: Entity }[] = [];

  constructor(
    root: PlainFields,
    private readonly reading: KongReading,
  ) {
    this.#root = { pointer: [], fields: root };
    this.#services = new Index(reading, 'service', ['name']);
    this.#routes = new Index(reading, 'route', ['name']);
    this.#consumers = new Index(reading, 'consumer', ['username', 'custom_id']);
    this.#groups = new Index(reading, 'consumer group', ['name']);
    this.#upstreams = new Index(reading, 'upstream', ['name']);
  }

  read(): KongDocument {
    const { reading } = this;
    const version = versionOf(this.#root.fields, reading.file);
    this.#refuseOthers();
    const services = this.#all('services', 'service').filter((one) => this.#services.add(one));
    const groups = this.#all('consumer_groups').filter((one) => this.#groups.add(one));
    const consumers = this.#all('consumers').filter((one) => this.#consumers.add(one));
    // groups may list their consumers in full
    for (const group of groups) {
      for (const one of reading.entities(group, 'consumers')) {
        const known = this.#known(this.#consumers, one, ['username', 'custom_id', 'id']);
        if (known === undefined && this.#consumers.add(one)) consumers.push(one);
        const consumer = known ?? one;
        this.#memberships.push({ consumer, group });
      }
    }
    const routes = this.#readRoutes(services);
    const upstreams = this.#all('upstreams', 'upstream').filter((one) => this.#upstreams.add(one));
    this.#readPlugins({ services, routes, consumers, groups });
    for (const consumer of consumers) this.#readConsumer(consumer);
    this.#readFlat();
    return {
      version,
      services,
      routes,
      consumers,
      groups,
      plugins: this.#plugins,
      upstreams,
      targets: this.#readTargets(upstreams),
      keys: this.#keys,
      acls: this.#acls,
      memberships: this.#memberships,
      consumerNamed: (name) => this.#consumers.named(name),
    };
  }

  #refuseOthers(): void {
    for (const field of Object.keys(this.#root.fields)) {
      if (KNOWN_FIELDS.has(field) || QUIET_FIELDS.has(field)) continue;
      const value = member(this.#root.fields, field);
      if (value === null || (Array.isArray(value) && value.length === 0)) continue;
      if (field === 'partials') this.reading.lose([field], 'is not read: plugins are taken without what they share');
      else this.reading.note([field], 'is not taken over: a policy has nothing like it');
    }
  }

  /** Entities at the top, with the defaults that decK fills in. */
  #all(field: string, kind?: string): Entity[] {
    return this.reading.entities(this.#root, field).map((one) => this.#withDefaults(one, kind));
  }

  #withDefaults(one: Entity, kind: string | undefined): Entity {
    const info = member(this.#root.fields, '_info');
    const defaults = kind === undefined ? undefined : member(member(info, 'defaults'), kind);
    return isPlainFields(defaults) ? { pointer: one.pointer, fields: { ...defaults, ...one.fields } } : one;
  }

  #readRoutes(services: readonly Entity[]): KongRoute[] {
    const nested = services.flatMap((service) =>
      this.reading.entities(service, 'routes').map((one) => ({ ...this.#withDefaults(one, 'route'), service })),
    );
    const flat = this.#all('routes', 'route').flatMap((one): KongRoute[] => {
      const service = this.#services.at(one, 'service');
      return service === undefined ? [] : [{ ...one, service }];
    });
    return [...nested, ...flat].filter((one) => this.#routes.add(one));
  }

  #readTargets(upstreams: readonly Entity[]): (Entity & { upstream: Entity })[] {
    const nested = upstreams.flatMap((upstream) =>
      this.reading.entities(upstream, 'targets').map((one) => ({ ...one, upstream })),
    );
    const flat = this.reading.entities(this.#root, 'targets').flatMap((one) => {
      const upstream = this.#upstreams.at(one, 'upstream');
      return upstream === undefined || upstream === null ? [] : [{ ...one, upstream }];
    });
    return [...nested, ...flat];
  }

  #readPlugins(all: {
    readonly services: readonly Entity[];
    readonly routes: readonly Entity[];
    readonly consumers: readonly Entity[];
    readonly groups: readonly Entity[];
  }): void {
    for (const service of all.services)
      for (const one of this.reading.entities(service, 'plugins')) this.#readPlugin(one, { service });
    for (const route of all.routes)
      for (const one of this.reading.entities(route, 'plugins')) this.#readPlugin(one, { route });
    for (const group of all.groups)
      for (const one of this.reading.entities(group, 'plugins')) this.#readPlugin(one, { group });
    for (const consumer of all.consumers)
      for (const one of this.reading.entities(consumer, 'plugins')) this.#readPlugin(one, { consumer });
    for (const field of ['plugins', 'consumer_group_plugins'])
      for (const one of this.reading.entities(this.#root, field)) this.#readPlugin(one, {});
  }

  #readPlugin(one: Entity, owner: Partial<Pick<KongPlugin, 'service' | 'route' | 'consumer' | 'group'>>): void {
    const { reading } = this;
    const name = reading.string(one, 'name');
    if (name === undefined) return reading.lose(one.pointer, 'is left out: it is a plugin without a name');
    // what is switched off counts as not there
    if (!reading.flag(one, 'enabled', true)) return;
    const places = {
      route: this.#routes.at(one, 'route'),
      service: this.#services.at(one, 'service'),
      consumer: this.#consumers.at(one, 'consumer'),
      group: this.#groups.at(one, 'consumer_group'),
      ...owner,
    };
    // bound to nothing that is there: it must not apply to everything
    if (Object.values(places).some((place) => place === undefined)) return;
    const { route, service, consumer, group } = places as Pick<KongPlugin, 'route' | 'service' | 'consumer' | 'group'>;
    this.#plugins.push({ ...one, name, config: this.#configOf(one), route, service, consumer, group });
  }

  /** decK keeps configs that several plugins share beside them. */
  #configOf(one: Entity): Entity {
    const own = this.reading.mapping(one, 'config');
    const shared = member(one.fields, '_config');
    if (shared === undefined || shared === null) return own;
    const all = member(this.#root.fields, '_plugin_configs');
    const found = typeof shared === 'string' ? member(all, shared) : undefined;
    if (isPlainFields(found)) return { pointer: own.pointer, fields: { ...found, ...own.fields } };
    this.reading.lose([...one.pointer, '_config'], 'names no config of "_plugin_configs"');
    return own;
  }

  #readConsumer(consumer: Entity): void {
    for (const one of this.reading.entities(consumer, 'keyauth_credentials')) this.#keys.push({ ...one, consumer });
    for (const one of this.reading.entities(consumer, 'acls')) this.#acls.push({ ...one, consumer });
    const groups = member(consumer.fields, 'groups');
    const pointer = [...consumer.pointer, 'groups'];
    for (const [index, one] of this.reading.list(groups, pointer).entries()) {
      const fields = typeof one === 'string' ? { name: one } : isPlainFields(one) ? one : {};
      const group = this.#known(this.#groups, { pointer, fields }, ['name', 'id']);
      if (group === undefined) this.reading.lose([...pointer, index], 'names no consumer group of the document');
      else this.#memberships.push({ consumer, group });
    }
  }

  #readFlat(): void {
    for (const one of this.reading.entities(this.#root, 'keyauth_credentials')) this.#ofConsumer(one, this.#keys);
    for (const one of this.reading.entities(this.#root, 'acls')) this.#ofConsumer(one, this.#acls);
    for (const one of this.reading.entities(this.#root, 'consumer_group_consumers')) {
      const [consumer, group] = [this.#consumers.at(one, 'consumer'), this.#groups.at(one, 'consumer_group')];
      if (consumer && group) this.#memberships.push({ consumer, group });
    }
  }

  #ofConsumer(one: Entity, list: OfConsumer[]): void {
    const consumer = this.#consumers.at(one, 'consumer');
    if (consumer === null) this.reading.lose(one.pointer, 'is left out: it belongs to no consumer');
    else if (consumer !== undefined) list.push({ ...one, consumer });
  }

  #known(index: Index, { fields }: Entity, names: readonly string[]): Entity | undefined {
    return names
      .map((name) => member(fields, name))
      .flatMap((name) => (typeof name === 'string' ? [index.named(name)] : []))
      .find((found) => found !== undefined);
  }
}
