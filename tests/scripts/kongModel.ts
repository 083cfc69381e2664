/** A slow model of how Kong decides, for documents that are written out in full: references by name, no defaults left out. */
export interface ModelPlugin {
  readonly name: string;
  readonly service?: string;
  readonly route?: string;
  readonly consumer?: string;
  readonly consumer_group?: string;
  readonly enabled?: boolean;
  readonly config: Readonly<Record<string, unknown>>;
}

export interface ModelRoute {
  readonly name: string;
  readonly service: string;
  readonly hosts?: readonly string[];
  readonly paths?: readonly string[];
  readonly methods?: readonly string[];
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  readonly strip_path: boolean;
}

export interface ModelDocument {
  readonly _format_version: string;
  readonly services: readonly { readonly name: string; readonly host: string; readonly path?: string }[];
  readonly routes: readonly ModelRoute[];
  readonly plugins: readonly ModelPlugin[];
  readonly consumer_groups: readonly { readonly name: string }[];
  readonly consumers: readonly {
    readonly username: string;
    readonly keyauth_credentials: readonly { readonly key: string }[];
    readonly acls: readonly { readonly group: string }[];
    readonly groups: readonly { readonly name: string }[];
  }[];
}

export interface ModelRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type Decided =
  | { readonly status: 401 | 403 | 404 | 429 }
  | { readonly status: 200; readonly host: string; readonly path: string; readonly consumer: string | null };

interface Where {
  readonly route?: string | undefined;
  readonly service?: string | undefined;
  readonly consumer?: string | undefined;
  readonly groups?: readonly string[];
}

/** All requests of it come within one minute. */
export class KongModel {
  readonly #counts = new Map<string, number>();

  constructor(private readonly document: ModelDocument) {}

  decide(request: ModelRequest): Decided {
    const found = this.#match(request);
    if (found === null) return { status: 404 };
    const { route, prefix } = found;
    const where = { route: route.name, service: route.service };
    const auth = this.#plugin('key-auth', where);
    const caller = auth === undefined ? null : this.#callerOf(request, auth);
    if (auth !== undefined && caller === null) return { status: 401 };
    const acl = this.#plugin('acl', where);
    if (acl !== undefined) {
      if (caller === null) return { status: 401 };
      const held = caller.acls.map(({ group }) => group);
      const { allow, deny } = acl.config as { allow?: string[]; deny?: string[] };
      if (deny !== undefined && held.some((group) => deny.includes(group))) return { status: 403 };
      if (allow !== undefined && !held.some((group) => allow.includes(group))) return { status: 403 };
    }
    const groups = caller?.groups.map(({ name }) => name) ?? [];
    const limiter = this.#plugin('rate-limiting', { ...where, consumer: caller?.username, groups });
    if (limiter !== undefined && caller !== null && !this.#count(limiter, caller.username)) return { status: 429 };
    return {
      status: 200,
      ...this.#upstreamOf(route, prefix, request.path),
      consumer: caller?.username ?? null,
    };
  }

  #count(plugin: ModelPlugin, consumer: string): boolean {
    const limits = Object.entries(plugin.config).filter(([name]) => name === 'minute' || name === 'hour');
    const keys = limits.map(([period]) => [plugin.route ?? '', plugin.service ?? '', consumer, period].join(' '));
    if (limits.some(([, limit], index) => (this.#counts.get(keys[index]!) ?? 0) >= (limit as number))) return false;
    for (const key of keys) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    return true;
  }

  #callerOf({ headers }: ModelRequest, { config }: ModelPlugin) {
    const names = config['key_names'] as string[];
    const key = names.map((name) => headers[name]).find((value) => value !== undefined);
    return (
      this.document.consumers.find(({ keyauth_credentials }) => keyauth_credentials.some((one) => one.key === key)) ??
      null
    );
  }

  /** Of the plugins of a name that apply, the most special. */
  #plugin(name: string, { route, service, consumer, groups = [] }: Where): ModelPlugin | undefined {
    const rank = (plugin: ModelPlugin): number => {
      const has = (field: 'route' | 'service' | 'consumer' | 'consumer_group'): boolean => plugin[field] !== undefined;
      const order = [
        ['consumer', 'route', 'service'],
        ['consumer_group', 'route', 'service'],
        ['consumer', 'route'],
        ['consumer', 'service'],
        ['consumer_group', 'route'],
        ['consumer_group', 'service'],
        ['route', 'service'],
        ['consumer'],
        ['consumer_group'],
        ['route'],
        ['service'],
        [],
      ] as const;
      const fields = (['consumer', 'consumer_group', 'route', 'service'] as const).filter(has);
      return order.findIndex(
        (one) => one.length === fields.length && fields.every((field) => (one as readonly string[]).includes(field)),
      );
    };
    return this.document.plugins
      .filter(
        (plugin) =>
          plugin.name === name &&
          plugin.enabled !== false &&
          (plugin.route ?? route) === route &&
          (plugin.service ?? service) === service &&
          (plugin.consumer ?? consumer) === consumer &&
          (plugin.consumer_group === undefined || groups.includes(plugin.consumer_group)),
      )
      .sort((a, b) => rank(a) - rank(b))[0];
  }

  #match({ method, host, path, headers }: ModelRequest): { route: ModelRoute; prefix: string } | null {
    const matches = this.document.routes.flatMap((route, order) => {
      if (route.methods !== undefined && !route.methods.includes(method)) return [];
      if (
        route.hosts !== undefined &&
        !route.hosts.some((one) => (one.startsWith('*') ? host.endsWith(one.slice(1)) : host === one))
      )
        return [];
      const conditions = Object.entries(route.headers ?? {});
      if (!conditions.every(([name, values]) => headers[name] !== undefined && values.includes(headers[name])))
        return [];
      const prefixes = (route.paths ?? ['/']).filter((one) => path.startsWith(one));
      return prefixes.map((prefix) => ({
        route,
        prefix: route.paths === undefined ? '' : prefix,
        order: [
          [route.methods, route.hosts, route.headers, route.paths].filter((one) => one !== undefined).length,
          route.hosts !== undefined && route.hosts.every((one) => !one.includes('*')) ? 1 : 0,
          conditions.length,
          route.paths === undefined ? 0 : prefix.length,
          -order,
        ],
      }));
    });
    matches.sort((a, b) => a.order.map((one, i) => b.order[i]! - one).find((difference) => difference !== 0) ?? 0);
    return matches[0] ?? null;
  }

  #upstreamOf(route: ModelRoute, prefix: string, path: string): { host: string; path: string } {
    const service = this.document.services.find(({ name }) => name === route.service)!;
    const base = service.path ?? '/';
    const rest = route.strip_path ? path.slice(prefix.length) : path;
    const joined = `${base.replace(/\/$/, '')}/${rest.replace(/^\//, '')}`;
    return { host: service.host, path: joined.length > 1 && rest === '' ? joined.replace(/\/$/, '') || '/' : joined };
  }
}
