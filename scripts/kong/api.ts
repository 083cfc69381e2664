import { MAX_MOCK_BYTES } from '../contract/table.ts';
import { member } from '../openapi/spot.ts';
import { bare } from '../policy/schema/value.ts';
import type { Access } from './access.ts';
import { corsOf } from './cors.ts';
import type { KongPlugin } from './document.ts';
import { type Entity, NameGiver, nameMadeOf, type KongReading } from './entity.ts';
import { type Claim, type Group, isConditional } from './mount.ts';
import type { OwnPlaces } from './keySource.ts';
import { routeKey, type Scopes } from './scope.ts';
import type { Upstreams } from './upstream.ts';

/** An API to be, before anybody knows which plans it offers. */
export interface PlannedApi {
  readonly name: string;
  readonly group: Group;
  /** Of each claim, in the same order. */
  readonly accesses: readonly Access[];
}

type Fields = Record<string, unknown>;

/** Writes APIs as a policy has them. */
export class ApiWriter {
  constructor(
    private readonly scopes: Scopes,
    private readonly upstreams: Upstreams,
    /** True: some plan has a quota, so that what costs nothing must say so. */
    private readonly hasQuotas: boolean,
    private readonly reading: KongReading,
  ) {}

  written(draft: PlannedApi, plans: readonly string[], keys: OwnPlaces): Fields {
    const { group, accesses } = draft;
    const { claims } = group;
    const hosts = group.hosts.includes(null) ? null : group.hosts;
    const isAnonymous = accesses.every((access) => access.isAnonymous);
    const operations = this.#operationsOf(draft, isAnonymous);
    const [only] = claims;
    const mock = claims.length === 1 && !isConditional(only!) ? this.#mockOf(accesses[0]!.termination) : null;
    const last = claims.at(-1)!.taken.route.service;
    const { upstream, routes } = mock === null ? this.#routesOf(draft, last) : { upstream: null, routes: [] };
    return {
      ...(hosts !== null && { hosts }),
      paths: group.paths,
      plans,
      ...(isAnonymous && { anonymous: 'allow' }),
      ...keys,
      ...this.#browsersOf(draft),
      ...(mock !== null && { mock }),
      ...(upstream !== null && { upstream }),
      ...(operations !== null && { unlisted: 'deny', operations }),
      ...(routes.length > 0 && { routes }),
    };
  }

  /** What pages may do; the same for all routes of an API. */
  #browsersOf({ group: { claims }, accesses }: PlannedApi): Fields {
    const plugins = claims.map(({ taken: { route } }) => this.scopes.usual('cors', routeKey(route)) ?? null);
    const [plugin] = plugins;
    if (plugins.some((other) => other !== plugin))
      for (const { taken } of claims)
        this.reading.lose(
          taken.route.pointer,
          'shares paths with routes that have another cors; the first of them counts',
        );
    const cors = plugin === null || plugin === undefined ? null : corsOf(plugin, this.reading);
    if (cors !== null) return { cors };
    const passes = accesses.every(
      ({ keyAuth }) => keyAuth !== null && !this.reading.flag(keyAuth.config, 'run_on_preflight', true),
    );
    if (!passes) return {};
    for (const { keyAuth } of accesses)
      this.reading.note([...keyAuth!.config.pointer, 'run_on_preflight'], 'preflights pass, other OPTIONS need a key');
    return { preflight: 'allow' };
  }

  /** Methods and templates, where routes do not take everything, and where some need no key or count nowhere. */
  #operationsOf({ group: { claims }, accesses }: PlannedApi, isAnonymous: boolean): Fields | null {
    const byHeaders = claims.some(({ taken }) => taken.match.headers.length > 0);
    const operations: Fields = {};
    const claimed = new Map<string, Set<string> | 'all'>();
    let isNeeded = claims.every(({ taken: { match }, path }) => match.methods !== null || path.templates !== null);
    for (const [index, { taken, path }] of claims.entries()) {
      const access = accesses[index]!;
      const fields = {
        ...(!byHeaders && access.isAnonymous && !isAnonymous && { anonymous: 'allow' }),
        ...(this.hasQuotas && (byHeaders ? accesses.every(({ isOpen }) => isOpen) : access.isOpen) && { cost: 0 }),
      };
      for (const template of path.templates ?? ['/', '/{path...}']) {
        const shape = template.replace(/\{[^}.]*\}/g, '{}').replace(/\{[^}]*\.\.\.\}/, '{...}');
        const before = claimed.get(shape) ?? new Set<string>();
        if (before === 'all') continue;
        const methods = taken.match.methods?.filter((method) => !before.has(method)) ?? null;
        if (methods !== null && methods.length === 0) continue;
        operations[methods === null ? template : `${methods.join(',')} ${template}`] = fields;
        claimed.set(shape, methods === null ? 'all' : new Set([...before, ...methods]));
      }
      if (Object.keys(fields).length > 0) isNeeded = true;
    }
    return isNeeded ? operations : null;
  }

  /** Where requests go: to one upstream, or by conditions to several. */
  #routesOf(
    { group: { claims, paths }, accesses }: PlannedApi,
    last: Entity | null,
  ): { upstream: string | null; routes: Fields[] } {
    const usual = last === null ? null : this.upstreams.of(last).name;
    const names = new NameGiver(['default']);
    const seen = new Set<string>();
    const routes: Fields[] = [];
    for (const [index, claim] of claims.entries()) {
      if (this.#isLostAmong(claim, claims)) continue;
      for (const route of this.#routesOfClaim(claim, accesses[index]!.termination, claims, { paths, usual })) {
        // a route with several regular expressions makes several claims
        const key = JSON.stringify(route['when']);
        if (seen.has(key)) continue;
        seen.add(key);
        routes.push({ name: names.give(nameMadeOf(this.#nameOf(claim)) ?? 'route'), ...route });
      }
    }
    const isPlain = routes.every((route) => !('rewritePrefix' in route || 'mock' in route || 'upstream' in route));
    const end = claims.at(-1)!;
    const byHeaders = claims.some(({ taken }) => taken.match.headers.length > 0);
    if (byHeaders && isConditional(end)) {
      // in Kong no route takes it
      for (const { taken } of claims)
        if (taken.match.headers.length > 0)
          this.reading.lose(
            [...taken.route.pointer, 'headers'],
            'what no route takes gets 404 after its key was checked, and counts in the quotas',
          );
      for (const path of paths) routes.push({ name: names.give('no-route'), when: { path }, mock: { status: 404 } });
    } else if (isPlain) return { upstream: usual, routes: [] };
    return { upstream: usual, routes };
  }

  /** A policy chooses no upstream by template, so a regular expression among routes to others has none of its own. */
  #isLostAmong({ taken: { route }, path }: Claim, claims: readonly Claim[]): boolean {
    if (path.templates === null || claims.every(({ taken }) => taken.route.service === route.service)) return false;
    this.reading.lose(
      route.pointer,
      'shares its prefix with routes to other services, and its requests go where theirs go: give it a prefix of its own',
    );
    return true;
  }

  #routesOfClaim(
    claim: Claim,
    termination: KongPlugin | null,
    claims: readonly Claim[],
    { paths, usual }: { readonly paths: readonly string[]; readonly usual: string | null },
  ): Fields[] {
    const { match, route } = claim.taken;
    // the longest first, because a shorter one takes what lies under a longer
    const inner = [...paths].sort((a, b) => b.length - a.length);
    const conditions: Fields = {
      ...(match.methods !== null && { methods: withHead(match.methods, claims) }),
      ...(match.headers.length > 0 && {
        headers: Object.fromEntries(
          match.headers.map(({ name, values }) => [name, values.length === 1 ? values[0] : { oneOf: values }]),
        ),
      }),
    };
    const mock = this.#mockOf(termination);
    const upstream = route.service === null ? null : this.upstreams.of(route.service);
    const rest = {
      ...(mock === null && upstream !== null && upstream.name !== usual && { upstream: upstream.name }),
      ...(mock !== null && { mock }),
    };
    const rewrites = inner.map((path) =>
      mock === null && upstream !== null ? this.#rewrite(claim, upstream.path, path) : null,
    );
    if (rewrites.every((rewrite) => rewrite === null)) {
      const hasConditions = Object.keys(conditions).length > 0;
      if (!hasConditions && Object.keys(rest).length === 0) return [];
      if (hasConditions) return [{ when: conditions, ...rest }];
    }
    return inner.map((path, index) => ({
      when: { ...conditions, path },
      ...rest,
      ...(rewrites[index] !== null && { rewritePrefix: rewrites[index] }),
    }));
  }

  /** What takes the place of an API's path; null where it stays. */
  #rewrite({ taken: { route }, path: own, isOwn }: Claim, before: string, path: string): string | null {
    const { reading } = this;
    let strips = reading.flag(route, 'strip_path', true);
    if (member(route.fields, 'path_handling') === 'v1')
      reading.lose(
        [...route.pointer, 'path_handling'],
        'is taken as v0: service path and the rest are joined with a slash',
      );
    if (strips && own.templates !== null) {
      reading.lose(
        [...route.pointer, 'strip_path'],
        'is not done: what a regular expression matches stays in the path',
      );
      strips = false;
    }
    const rest = strips ? bare(path).slice(bare(isOwn ? path : own.prefix).length) : bare(path);
    const rewritten = `${before}${rest}` || '/';
    return rewritten === path ? null : rewritten;
  }

  #nameOf({ taken: { route } }: Claim): string | undefined {
    const own = member(route.fields, 'name');
    return typeof own === 'string' ? own : undefined;
  }

  /** A plugin that answers by itself. */
  #mockOf(plugin: KongPlugin | null): Fields | null {
    if (plugin === null) return null;
    const { reading } = this;
    const { config } = plugin;
    if (reading.string(config, 'trigger') !== undefined || reading.flag(config, 'echo', false)) {
      reading.lose(plugin.pointer, 'is not taken over: a mock answers every request, and always the same');
      return null;
    }
    const status = reading.number(config, 'status_code') ?? 503;
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      reading.lose([...config.pointer, 'status_code'], 'is not taken over: a mock has a status from 200 to 599');
      return { status: 503 };
    }
    const type = reading.string(config, 'content_type');
    const message = reading.string(config, 'message') ?? MESSAGES[status];
    const body = reading.string(config, 'body') ?? (message === undefined ? undefined : JSON.stringify({ message }));
    if (body !== undefined && Buffer.byteLength(body) > MAX_MOCK_BYTES) {
      reading.lose([...config.pointer, 'body'], `is left out: a mock has at most ${MAX_MOCK_BYTES} bytes`);
      return { status };
    }
    return {
      status,
      ...(type !== undefined && /^[\x20-\x7e]+$/.test(type) && { headers: { 'content-type': type } }),
      ...(body !== undefined && { body }),
    };
  }
}

/** What Kong says where nothing is configured. */
const MESSAGES: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  404: 'Not found',
  405: 'Method not allowed',
  500: 'An unexpected error occurred',
  502: 'Bad Gateway',
  503: 'Service unavailable',
};

/** An operation of GET takes HEAD too, unless one of HEAD is there, so its requests go the same way. */
function withHead(methods: readonly string[], claims: readonly Claim[]): readonly string[] {
  const isNamed = claims.some(({ taken }) => taken.match.methods?.includes('HEAD'));
  return methods.includes('GET') && !isNamed ? [...methods, 'HEAD'] : methods;
}
