import { rename, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import type { Container } from './process.ts';
import { FILES, STAT_PREFIX } from './bootstrap.ts';
import { clustersOf, extensionOf, PLUGIN, ROUTE_TABLE, routeTableOf } from './resource.ts';
import type { Snapshot, LocalUpstream } from './snapshot.ts';
import { TOKEN_FILTER, tokenExtensionOf } from './tokens.ts';

/** Envoy's admin interface on loopback, as far as it is needed. */
export class Admin {
  constructor(readonly port: number) {}

  /** Body of a page; throws when Envoy does not answer or answers other than 200 and 503 (`/ready` says 503 while starting). */
  page(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = get({ host: '127.0.0.1', port: this.port, path, timeout: 5000 }, (response) => {
        let body = '';
        response
          .setEncoding('utf8')
          .on('data', (text: string) => (body += text))
          .on('end', () => resolve(body))
          .on('error', reject);
        if (response.statusCode !== 200 && response.statusCode !== 503)
          reject(new Error(`admin ${path}: ${response.statusCode}`));
      });
      request.on('error', reject).on('timeout', () => request.destroy(new Error(`admin ${path}: no answer`)));
    });
  }

  async isReady(): Promise<boolean> {
    return (await this.page('/ready').catch(() => '')).startsWith('LIVE');
  }

  /** Statistics by full name; numbers as text, text readouts without their quotes. */
  async stats(filter: string): Promise<Map<string, string>> {
    const text = await this.page(`/stats?filter=${encodeURIComponent(filter)}`);
    const lines = text
      .split('\n')
      .map((line) => /^(\S.*?): (.*)$/.exec(line))
      .filter((found) => found !== null);
    return new Map(lines.map(([, name = '', value = '']) => [name, value.replace(/^"|"$/g, '')]));
  }

  /** The port that the HTTP listener got; null before there is one. */
  async listenerPort(): Promise<number | null> {
    const found = /::127\.0\.0\.1:(\d+)/.exec(await this.page('/listeners'));
    return found ? Number(found[1]) : null;
  }
}

export type ResourceKind = keyof typeof FILES;

/** Prefixes of Envoy's statistics about each file. */
const STATS: Record<ResourceKind, string> = {
  clusters: 'cluster_manager.cds',
  routes: `http.${STAT_PREFIX}.rds.${ROUTE_TABLE}`,
  tokens: `extension_config_discovery.http_filter.${TOKEN_FILTER}`,
  extension: `extension_config_discovery.http_filter.${PLUGIN}`,
};
const POLL_MS = 5;

/** The configuration files that a running Envoy watches. */
export class Discovery {
  private readonly written = new Map<ResourceKind, string>();
  private version = 0;

  /** `module`: path of the wasm file as Envoy sees it. `container`: what Envoy runs in, or null. */
  constructor(
    private readonly folder: string,
    private readonly module: string,
    private readonly timeoutMs: number,
    private readonly container: Container | null,
  ) {}

  /** Writes one kind of resource, whole, if it changed; resolves to the version to wait for, or null when nothing changed. */
  async write(kind: ResourceKind, snapshot: Snapshot): Promise<string | null> {
    const resources = JSON.stringify(this.resources(kind, snapshot));
    if (this.written.get(kind) === resources) return null;
    const version = String(++this.version);
    const path = join(this.folder, FILES[kind]);
    // Envoy reacts to a file moved into place, and so never reads half of one
    await writeFile(`${path}.next`, `{"version_info":"${version}","resources":${resources}}`);
    await (this.container?.move(`${path}.next`, path) ?? rename(`${path}.next`, path));
    this.written.set(kind, resources);
    return version;
  }

  private resources(kind: ResourceKind, snapshot: Snapshot): object[] {
    if (kind === 'clusters') return clustersOf(this.reached(snapshot));
    if (kind === 'routes') return [routeTableOf(snapshot)];
    if (kind === 'tokens') return [tokenExtensionOf(snapshot.issuers ?? [])];
    return [extensionOf(snapshot.pluginConfig, this.module, snapshot.vmId)];
  }

  private reached({ upstreams, rateLimitServices, keySets = [] }: Snapshot): Parameters<typeof clustersOf>[0] {
    const { container } = this;
    const reached = (of: readonly LocalUpstream[]): LocalUpstream[] =>
      of.map((upstream) => ({ ...upstream, host: container?.reached(upstream.host) ?? upstream.host }));
    return {
      upstreams: reached(upstreams),
      rateLimitServices: reached(rateLimitServices),
      keySets: reached(keySets),
    };
  }

  /** How often Envoy refused a file of that kind; to be read before writing. */
  async refusals(kind: ResourceKind, admin: Admin): Promise<number> {
    return refusalsIn(await admin.stats(`^${escape(STATS[kind])}\\.`), kind);
  }

  /** True once Envoy has taken that version; false when its count of refusals exceeds `refusals`. */
  async taken(kind: ResourceKind, version: string, refusals: number, admin: Admin): Promise<boolean> {
    const deadline = Date.now() + this.timeoutMs;
    for (;;) {
      const stats = await admin.stats(`^(${escape(STATS[kind])}\\.|cluster_manager\\.warming)`);
      if (stats.get(`${STATS[kind]}.version_text`) === version && stats.get('cluster_manager.warming_clusters') === '0')
        return true;
      if (refusalsIn(stats, kind) > refusals) return false;
      if (Date.now() > deadline)
        throw new Error(`Envoy did not take ${FILES[kind]} version ${version} within ${this.timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

function refusalsIn(stats: Map<string, string>, kind: ResourceKind): number {
  return (
    Number(stats.get(`${STATS[kind]}.update_rejected`) ?? 0) + Number(stats.get(`${STATS[kind]}.update_failure`) ?? 0)
  );
}

function escape(text: string): string {
  return text.replaceAll('.', '\\.');
}
