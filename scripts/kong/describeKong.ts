import { isDeepStrictEqual } from 'node:util';
import { Losses } from '../openapi/loss.ts';
import type { Named } from '../policyFile/partsRecord.ts';
import type { KeySource } from '../openapi/security.ts';
import { type Access, AccessReader, groupName, NOBODY, type Standing } from './access.ts';
import { type PlannedApi, ApiWriter } from './api.ts';
import { ConsumerNames, keysOf } from './consumer.ts';
import { type KongDocument, readKong, type KongRoute } from './document.ts';
import { type Entity, NameGiver, nameMadeOf, KongReading } from './entity.ts';
import { KongError } from './error.ts';
import { fittedApis } from './fit.ts';
import { keyPlacesOf, writtenKeySources } from './keySource.ts';
import { matchOf } from './match.ts';
import { type Group, groupsOf } from './mount.ts';
import { reportPlugins } from './plugin.ts';
import { Scopes } from './scope.ts';
import { Standings } from './standing.ts';
import { type Tier, Tiers } from './tier.ts';
import { Upstreams } from './upstream.ts';

/** What a document of Kong says, in the words of a policy. */
export interface DescribedKong {
  /** What messages call the document. */
  readonly file: string;
  readonly version: string;
  readonly keySources: readonly KeySource[];
  readonly forwardKey: boolean;
  readonly realm: string | null;
  readonly upstreams: Named;
  readonly apis: Named;
  readonly plans: Named;
  readonly consumers: Named;
  readonly keyCount: number;
}

export interface KongDescription {
  readonly described: DescribedKong;
  readonly losses: Losses;
  readonly notes: Losses;
}

/** Makes a policy's parts of a document, as a plain value. Throws KongError for what is not Kong's. */
export function describeKong(value: unknown, file: string, onStep: (step: string) => void): KongDescription {
  const reading = new KongReading(file, new Losses(), new Losses());
  onStep('follows references');
  const document = readKong(value, reading);
  onStep('reads routes');
  const described = new Describer(document, reading, onStep).describe();
  return { described, losses: reading.losses, notes: reading.notes };
}

class Describer {
  readonly #scopes: Scopes;
  readonly #standings: Standings;
  readonly #upstreams: Upstreams;
  readonly #access: AccessReader;
  readonly #accesses = new Map<KongRoute, Access>();

  constructor(
    private readonly document: KongDocument,
    private readonly reading: KongReading,
    private readonly onStep: (step: string) => void,
  ) {
    this.#scopes = new Scopes(document, reading);
    this.#standings = new Standings(document, this.#scopes, reading);
    this.#upstreams = new Upstreams(document, reading);
    this.#access = new AccessReader(document, this.#scopes, (consumer) => this.#standings.of(consumer), reading);
  }

  describe(): DescribedKong {
    const { document, reading } = this;
    reportPlugins(document, reading);
    const drafts = this.#drafts();
    const keyed = drafts.map(({ name, accesses }) => ({
      name,
      plugins: [...new Set(accesses.flatMap(({ keyAuth }) => keyAuth ?? []))],
    }));
    const { usual, own: ownPlaces } = keyPlacesOf(keyed, reading);
    this.onStep(`reads ${document.consumers.length} consumers`);
    const keys = keysOf(document, reading);
    const digests = new Set([...keys.values()].flat().map(({ digest }) => digest));
    const names = new ConsumerNames(reading, (digest) => digests.has(digest));
    const { tiers, tierOf } = this.#tiers(drafts);
    const consumers: [string, Readonly<Record<string, unknown>>][] = [];
    for (const consumer of document.consumers) {
      const name = names.of(consumer);
      if (name === null) continue;
      const { plan, subscriptions } = tierOf(consumer);
      const own = keys.get(consumer);
      consumers.push([
        name,
        {
          ...(plan !== null && { plan }),
          ...(subscriptions !== null && { subscriptions }),
          ...(own !== undefined && { keys: own }),
        },
      ]);
    }
    names.reportDetails();
    const pointers = new Map(drafts.map(({ name, group }) => [name, group.claims[0]!.taken.route.pointer]));
    const writer = new ApiWriter(this.#scopes, this.#upstreams, tiers.hasQuotas, reading);
    const plans = Object.fromEntries(
      [...tiers.plans].map(([name, quotas]) => [name, Object.keys(quotas).length > 0 ? { quotas } : {}] as const),
    );
    const written = Object.fromEntries(
      drafts.map((draft) => {
        const plans = [...tiers.offered.get(draft.name)!];
        return [draft.name, writer.written(draft, plans, ownPlaces.get(draft.name) ?? {})] as const;
      }),
    );
    const upstreams = this.#upstreams.written;
    this.onStep('checks routes');
    const apis = fittedApis(
      { keySources: writtenKeySources(usual), upstreams, plans, apis: written },
      (name) => pointers.get(name)!,
      reading,
    );
    if (Object.keys(apis).length < drafts.length) withoutGone(consumers, apis);
    return {
      file: reading.file,
      version: document.version,
      ...usual,
      upstreams,
      apis,
      plans,
      consumers: Object.fromEntries(consumers),
      keyCount: digests.size,
    };
  }

  #drafts(): PlannedApi[] {
    const { document, reading } = this;
    const taken = document.routes.flatMap((route, order) => {
      if (!this.#isServed(route)) return [];
      const match = matchOf(route, document.version, reading);
      return match === null ? [] : [{ route, match, order }];
    });
    const groups = groupsOf(taken, reading);
    if (groups.length === 0 && document.consumers.length === 0)
      throw new KongError(`${reading.file}: has nothing that could be imported${firstOf(reading.losses)}`);
    const names = new NameGiver();
    return groups.map((group) => {
      const accesses = group.claims.map(({ taken: { route } }) => this.#accessOf(route));
      this.#reportMixture(group, accesses);
      return { name: names.give(this.#nameOf(group)), group, accesses };
    });
  }

  #accessOf(route: KongRoute): Access {
    const known = this.#accesses.get(route) ?? this.#access.of(route);
    this.#accesses.set(route, known);
    return known;
  }

  /** False after reporting why nothing is served there. */
  #isServed(route: KongRoute): boolean {
    const { reading } = this;
    if (route.service !== null && !reading.flag(route.service, 'enabled', true)) {
      reading.lose([...route.service.pointer, 'enabled'], 'its routes are left out: the service is switched off');
      return false;
    }
    if (
      route.service !== null ||
      this.#scopes.usual('request-termination', { self: route, service: null }) !== undefined
    )
      return true;
    reading.lose(route.pointer, 'the route is left out: it has no service to go to');
    return false;
  }

  /** Routes that share paths may ask for different things; then the API asks for all of them. */
  #reportMixture({ claims }: Group, accesses: readonly Access[]): void {
    const [first] = accesses;
    const asks = ({ isOpen, isClosed, acl }: Access): unknown => [
      isOpen,
      isClosed,
      acl?.allows,
      acl && [...acl.groups],
    ];
    if (accesses.every((access) => isDeepStrictEqual(asks(access), asks(first!)))) return;
    for (const { taken } of claims)
      this.reading.lose(
        taken.route.pointer,
        'shares paths with routes that let other consumers in: those with a key need what all of these routes ask for',
      );
  }

  /** An API has the name of the route that lies there. */
  #nameOf({ claims, paths }: Group): string {
    const own = claims.find(({ isOwn }) => isOwn) ?? claims[0]!;
    const { route } = own.taken;
    const named = (entity: Entity | null): string | null =>
      entity !== null && typeof entity.fields['name'] === 'string' ? nameMadeOf(entity.fields['name']) : null;
    return named(route) ?? named(route.service) ?? nameMadeOf(paths[0]) ?? 'api';
  }

  #tiers(drafts: readonly PlannedApi[]): { tiers: Tiers; tierOf: (consumer: Entity) => Tier } {
    const tiers = new Tiers(drafts, this.#access, this.#scopes, this.reading);
    const acls = [...this.#accesses.values()].flatMap(({ acl }) => acl ?? []);
    const asked = new Set(acls.flatMap(({ groups }) => [...groups]));
    const made = new Map<string, Tier>();
    const byConsumer = new Map<Entity, Tier>();
    const { consumers } = this.document;
    for (const consumer of consumers) {
      const { key, standing } = this.#standings.alike(consumer, acls, asked);
      const tier = made.get(key) ?? tiers.add(standing);
      made.set(key, tier);
      byConsumer.set(consumer, tier);
    }
    // of a dump without consumers the plans are what counts
    if (consumers.length === 0) for (const standing of this.#possible(asked)) tiers.add(standing);
    return { tiers, tierOf: (consumer) => byConsumer.get(consumer)! };
  }

  #possible(asked: ReadonlySet<string>): Standing[] {
    const groups = this.document.groups.filter((group) => this.#scopes.hasOwn(group) || asked.has(groupName(group)));
    const names = [...asked].filter((name) => !groups.some((group) => groupName(group) === name));
    return [
      NOBODY,
      ...groups.map((group) => ({ ...NOBODY, groups: [group] })),
      ...names.map((name) => ({ ...NOBODY, acls: [name] })),
    ];
  }
}

/** Takes away subscriptions to APIs that could not be written. */
function withoutGone(consumers: [string, Readonly<Record<string, unknown>>][], apis: Named): void {
  for (const entry of consumers) {
    const { subscriptions, ...rest } = entry[1];
    if (subscriptions === undefined) continue;
    const left = Object.entries(subscriptions as Named).filter(([api]) => Object.hasOwn(apis, api));
    entry[1] = left.length > 0 ? { ...rest, subscriptions: Object.fromEntries(left) } : rest;
  }
}

/** The first loss often says why there is nothing. */
function firstOf({ all: [loss] }: Losses): string {
  return loss === undefined ? '' : `; ${loss.pointer}: ${loss.rule}`;
}
