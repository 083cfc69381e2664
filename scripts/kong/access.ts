import { member } from '../openapi/spot.ts';
import type { KongDocument, KongPlugin, KongRoute } from './document.ts';
import type { Entity, KongReading } from './entity.ts';
import { LIMITERS } from './limit.ts';
import { OTHER_AUTHENTICATION } from './plugin.ts';
import { routeKey, type Scopes } from './scope.ts';

/** Who may use a route. */
export interface Access {
  /** True: nothing looks at who calls. */
  readonly isOpen: boolean;
  /** True: nobody gets in. */
  readonly isClosed: boolean;
  /** True: requests without a key pass too. */
  readonly isAnonymous: boolean;
  /** Groups of the ACL plugin; null: every consumer. */
  readonly acl: Acl | null;
  readonly keyAuth: KongPlugin | null;
  readonly termination: KongPlugin | null;
}

export interface Acl {
  readonly allows: boolean;
  readonly groups: ReadonlySet<string>;
  readonly withConsumerGroups: boolean;
}

/** What decides about a consumer: who has the same is treated the same. */
export interface Standing {
  readonly consumer: Entity | null;
  readonly groups: readonly Entity[];
  readonly acls: readonly string[];
}

export const NOBODY: Standing = { consumer: null, groups: [], acls: [] };

export class AccessReader {
  constructor(
    private readonly document: KongDocument,
    private readonly scopes: Scopes,
    /** Of a consumer that a plugin names. */
    private readonly standingOf: (consumer: Entity) => Standing,
    private readonly reading: KongReading,
  ) {}

  of(route: KongRoute): Access {
    const { scopes, reading } = this;
    const key = routeKey(route);
    const keyAuth = scopes.usual('key-auth', key) ?? null;
    const others = OTHER_AUTHENTICATION.flatMap((name) => scopes.usual(name, key) ?? []);
    for (const { pointer, name } of others)
      reading.lose(pointer, `"${name}" is not checked: callers need a key of a consumer instead`);
    const acl = this.#aclOf(route);
    const isOpen = keyAuth === null && others.length === 0 && acl === null;
    // without a consumer Kong refuses everybody
    const isClosed = keyAuth === null && others.length === 0 && acl !== null;
    if (isClosed)
      reading.lose(route.pointer, 'lets nobody in, as in Kong: it asks for groups of consumers but for no key');
    const termination = scopes.usual('request-termination', key) ?? null;
    // all of them must be content, and one without a consumer for everybody is not
    const isAsked = others.some(({ config }) => reading.string(config, 'anonymous') === undefined);
    return {
      isOpen,
      isClosed,
      isAnonymous: isOpen || (!isAsked && this.#isAnonymous(keyAuth, route, acl)),
      acl,
      keyAuth,
      termination,
    };
  }

  /** True for a consumer that the route lets in. */
  allows({ isOpen, isClosed, acl }: Pick<Access, 'isOpen' | 'isClosed' | 'acl'>, { groups, acls }: Standing): boolean {
    if (isClosed) return false;
    if (isOpen || acl === null) return true;
    const held = acl.withConsumerGroups ? [...acls, ...groups.map(groupName)] : acls;
    return held.some((group) => acl.groups.has(group)) === acl.allows;
  }

  #aclOf(route: KongRoute): Acl | null {
    const { scopes, reading } = this;
    const plugin = scopes.usual('acl', routeKey(route));
    if (plugin === undefined) return null;
    const { config } = plugin;
    // until 2.1 they were called so
    const [deny, allow] = [
      ['deny', 'blacklist'],
      ['allow', 'whitelist'],
    ].map((names) => names.map((name) => reading.strings(config, name)).find((list) => list !== null) ?? null) as [
      string[] | null,
      string[] | null,
    ];
    const denies = deny !== null && deny.length > 0;
    if (!denies && (allow === null || allow.length === 0))
      reading.lose(plugin.pointer, 'lets nobody in: it names no group that could be read');
    return {
      allows: !denies,
      groups: new Set(denies ? deny : (allow ?? [])),
      withConsumerGroups: reading.flag(config, 'include_consumer_groups', false),
    };
  }

  /** Kong lets a request with no key, or with a wrong one, pass as a consumer that stands for everybody. */
  #isAnonymous(keyAuth: KongPlugin | null, route: KongRoute, acl: Acl | null): boolean {
    const { reading, scopes } = this;
    if (keyAuth === null) return false;
    const name = reading.string(keyAuth.config, 'anonymous');
    if (name === undefined) return false;
    const pointer = [...keyAuth.config.pointer, 'anonymous'];
    const consumer = this.document.consumerNamed(name);
    if (consumer === undefined) {
      reading.lose(pointer, 'names no consumer of the document; requests need a key');
      return false;
    }
    const standing = this.standingOf(consumer);
    const stopped = scopes.of('request-termination', routeKey(route), consumer, standing.groups);
    // the usual way to take one of several credentials
    if (stopped.some((plugin) => plugin.consumer === consumer)) return false;
    if (acl !== null && !this.allows({ isOpen: false, isClosed: false, acl }, standing)) return false;
    reading.lose(pointer, 'requests without a key pass; with a wrong one they get 401, and Kong lets them pass too');
    const limits = LIMITERS.flatMap((limiter) => scopes.of(limiter, routeKey(route), consumer, standing.groups));
    for (const plugin of limits) reading.lose(plugin.pointer, ANONYMOUS_RULE);
    return true;
  }
}

export const ANONYMOUS_RULE = 'does not count requests without a key: Envoy has local rate limits for them';

export function groupName({ fields }: Entity): string {
  const name = member(fields, 'name') ?? member(fields, 'id');
  return typeof name === 'string' ? name : '';
}
