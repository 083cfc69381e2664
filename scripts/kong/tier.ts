import type { Entity, KongReading } from './entity.ts';
import { NameGiver, nameMadeOf } from './entity.ts';
import { type AccessReader, ANONYMOUS_RULE, groupName, type Standing } from './access.ts';
import type { PlannedApi } from './api.ts';
import type { KongPlugin } from './document.ts';
import { KongError } from './error.ts';
import { type Limit, LIMITERS, limitsOf, type WrittenQuota, type Quotas } from './limit.ts';
import { routeKey, type Scopes } from './scope.ts';
import { usernameOf } from './standing.ts';
import { MAX_QUOTAS } from '../contract/table.ts';

/** A plan for consumers that are treated alike, and what else they have on single APIs. */
export interface Tier {
  /** Null: they may call nothing. */
  readonly plan: string | null;
  /** Plans by API, where they are not the tier's own. */
  readonly subscriptions: Readonly<Record<string, { readonly plan: string }>> | null;
}

/** What consumers that are treated alike may do on an API: nothing (null), anything, or as much as quotas (as JSON) say. */
type Offer = string | null;
const OPEN = 'open';

const MAX_OFFERS = 1_000_000;

/** Makes plans of what Kong's plugins say of consumers and routes. */
export class Tiers {
  readonly plans = new Map<string, Quotas>();
  /** Plans that each API offers. */
  readonly offered = new Map<string, Set<string>>();
  readonly #names = new NameGiver();
  readonly #quotas = new Map<string, Quotas>();
  /** Plans that nobody has everywhere, by what they allow. */
  readonly #special = new Map<string, string>();
  readonly #limits = new Map<KongPlugin, readonly Limit[]>();
  /** In how many APIs a service or route is. */
  readonly #spread = new Map<Entity, number>();
  #offers = 0;

  constructor(
    private readonly apis: readonly PlannedApi[],
    private readonly access: AccessReader,
    private readonly scopes: Scopes,
    private readonly reading: KongReading,
  ) {
    for (const { name, group } of apis) {
      this.offered.set(name, new Set());
      const inside = new Set(group.claims.flatMap(({ taken: { route } }) => [route as Entity, route.service]));
      for (const entity of inside) if (entity !== null) this.#spread.set(entity, (this.#spread.get(entity) ?? 0) + 1);
    }
    this.#reportUncounted();
  }

  get hasQuotas(): boolean {
    return [...this.plans.values()].some((quotas) => Object.keys(quotas).length > 0);
  }

  add(standing: Standing): Tier {
    this.#offers += this.apis.length;
    if (this.#offers > MAX_OFFERS)
      throw new KongError(
        `${this.reading.file}: has too many consumers with plugins or groups of their own for so many routes`,
      );
    const offers = this.apis.map((api) => this.#offerOf(api, standing));
    const counts = new Map<string, number>();
    for (const offer of offers) if (offer !== null && offer !== OPEN) counts.set(offer, (counts.get(offer) ?? 0) + 1);
    const [main] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? [offers.includes(OPEN) ? '{}' : null];
    if (main === null) return { plan: null, subscriptions: null };
    const plan = this.#names.give(nameOfTier(standing));
    this.plans.set(plan, this.#quotas.get(main) ?? {});
    const subscriptions: Record<string, { plan: string }> = {};
    for (const [index, { name }] of this.apis.entries()) {
      const offer = offers[index]!;
      if (offer === null) continue;
      if (offer === main || offer === OPEN) {
        this.offered.get(name)!.add(plan);
        continue;
      }
      const special = this.#specialPlan(offer, name);
      this.offered.get(name)!.add(special);
      subscriptions[name] = { plan: special };
    }
    return { plan, subscriptions: Object.keys(subscriptions).length > 0 ? subscriptions : null };
  }

  #specialPlan(offer: string, api: string): string {
    const known = this.#special.get(offer);
    if (known !== undefined) return known;
    const name = this.#names.give(api);
    this.#special.set(offer, name);
    this.plans.set(name, this.#quotas.get(offer) ?? {});
    return name;
  }

  #offerOf({ group: { claims }, accesses }: PlannedApi, standing: Standing): Offer {
    if (accesses.every(({ isOpen }) => isOpen)) return OPEN;
    const quotas = new QuotaSet();
    const limiters = new Set<string>();
    for (const [index, { taken }] of claims.entries()) {
      const access = accesses[index]!;
      if (access.isOpen) continue;
      if (!this.access.allows(access, standing)) return null;
      const key = routeKey(taken.route);
      const { consumer, groups } = standing;
      const [stop] = this.scopes.of('request-termination', key, consumer, groups);
      if (stop !== undefined && (stop.consumer !== null || stop.group !== null)) {
        this.reading.lose(stop.pointer, 'the consumer is refused with 403');
        return null;
      }
      const own = LIMITERS.flatMap((limiter) => this.scopes.of(limiter, key, consumer, groups));
      limiters.add(own.map(({ pointer }) => pointer.join('/')).join(' '));
      for (const limiter of LIMITERS) {
        const plugins = own.filter(({ name }) => name === limiter);
        if (plugins.length > 1)
          for (const { pointer } of plugins)
            this.reading.lose(pointer, 'of several groups of a consumer, all limits count; Kong takes those of one');
        for (const plugin of plugins) this.#addTo(quotas, plugin);
      }
    }
    if (limiters.size > 1)
      for (const { taken } of claims)
        this.reading.lose(
          taken.route.pointer,
          'shares paths with routes that have other limits: a plan has one set of limits for an API, so all of them count',
        );
    const written = quotas.written(() =>
      this.reading.lose(
        claims[0]!.taken.route.pointer,
        `has more than ${MAX_QUOTAS} limits; those of the longest windows are left out`,
      ),
    );
    const key = JSON.stringify(written);
    this.#quotas.set(key, written);
    return key;
  }

  #addTo(quotas: QuotaSet, plugin: KongPlugin): void {
    const limits = this.#limits.get(plugin) ?? limitsOf(plugin, this.reading);
    this.#limits.set(plugin, limits);
    // Kong counts by what the plugin is bound to
    const scope = plugin.route ?? plugin.service;
    const isSingle = scope !== null && this.#spread.get(scope) === 1;
    const prefix = scope === null || isSingle ? 'per' : (nameMadeOf(nameIn(scope)) ?? 'route');
    for (const { limit, window } of limits)
      quotas.add(`${prefix}-${window}`.slice(-63).replace(/^-+/, ''), {
        limit,
        window,
        ...(isSingle && { per: 'api' as const }),
      });
  }

  /** Where nobody is known, Kong counts by address. */
  #reportUncounted(): void {
    for (const { group, accesses } of this.apis) {
      for (const [index, { taken }] of group.claims.entries()) {
        if (!accesses[index]!.isOpen) continue;
        for (const limiter of LIMITERS) {
          const plugin = this.scopes.usual(limiter, routeKey(taken.route));
          if (plugin !== undefined) this.reading.lose(plugin.pointer, ANONYMOUS_RULE);
        }
      }
    }
  }
}

function nameIn({ fields }: Entity): string | undefined {
  return typeof fields['name'] === 'string' ? fields['name'] : undefined;
}

function nameOfTier({ consumer, groups, acls }: Standing): string {
  const parts = [...groups.map(groupName), ...acls, ...(consumer === null ? [] : [usernameOf(consumer) ?? 'consumer'])];
  return nameMadeOf([...new Set(parts)].join('-')) ?? 'default';
}

/** Quotas that a request must fit into; of two that count the same, the lower limit. */
class QuotaSet {
  readonly #quotas = new Map<string, WrittenQuota>();

  add(name: string, quota: WrittenQuota): void {
    for (let number = 1; ; number++) {
      const own = number === 1 ? name : `${name}-${number}`;
      const known = this.#quotas.get(own);
      if (known !== undefined && (known.window !== quota.window || known.per !== quota.per)) continue;
      if (known === undefined || known.limit > quota.limit) this.#quotas.set(own, quota);
      return;
    }
  }

  /** In an order of their own, so that equal sets are equal strings. */
  written(onTooMany: () => void): Quotas {
    const all = [...this.#quotas].sort(([a], [b]) => (a < b ? -1 : 1));
    if (all.length > MAX_QUOTAS) onTooMany();
    return Object.fromEntries(all.slice(0, MAX_QUOTAS));
  }
}
