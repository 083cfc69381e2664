import { readFile } from 'node:fs/promises';
import type { Cluster } from '../cluster/cluster.ts';
import { at, KINDS, listAt, nameOf, shown, textAt, type KubeObject } from '../cluster/object.ts';
import { modulePath } from '../file/packageRoot.ts';
import { decisionOf, Host, loadModule, type WasmModule } from '../host/index.ts';
import type { Observations } from './observation.ts';
import type { PluginResource } from './plugin.ts';

const PROBES = ['startupProbe', 'readinessProbe', 'livenessProbe', 'lifecycle.postStart', 'lifecycle.preStop'] as const;
const HEADER = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
/** Stands for an address that nobody knows yet. */
const ANY_ADDRESS = '10.0.0.1';
/** Istio's agent and Envoy answer there themselves; what Istio rewrote asks the agent too, which goes past the proxy. */
const OWN_PORTS = new Set([15_000, 15_020, 15_021, 15_090]);
const EXCLUDED = 'traffic.sidecar.istio.io/excludeInboundPorts';
const INCLUDED = 'traffic.sidecar.istio.io/includeInboundPorts';
/** As cloud providers call the path of their load balancers' health checks. */
const HEALTH_PATH = /health-?(?:check|probe)(?:[-_]request)?-path$/;
const HEALTH_PORT = /health-?(?:check|probe)-port$/;
const HEALTH_PROTOCOL = /health-?(?:check|probe)-protocol$/;
/** What Prometheus's own example configuration looks for. Istio writes the agent's port there where it merges metrics. */
const SCRAPED = { is: 'prometheus.io/scrape', port: 'prometheus.io/port', path: 'prometheus.io/path' } as const;
const GRPC_PROBE = '/grpc.health.v1.Health/Check';

interface Probe {
  readonly what: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly host: string;
  readonly port: number | null;
  readonly headers: readonly (readonly [string, string])[];
}

/**
 * What asks the pods of a policy without a key, because nobody gave it one: the kubelet's probes and hooks, where Istio was told not
 * to take them over, scrapers, and load balancers' health checks. Whether they would be refused is the module's own decision.
 */
export class Traffic {
  private constructor(private readonly module: WasmModule) {}

  /** Null where the module has not been built. */
  static async load(): Promise<Traffic | null> {
    const bytes = await readFile(modulePath).catch(() => null);
    return bytes === null ? null : new Traffic(loadModule(modulePath));
  }

  /** What the module says to a config that it does not take; null: it takes it. */
  refusalOf({ config }: PluginResource): string | null {
    const host = new Host(this.module);
    return host.load(JSON.stringify(config)) === null ? shown(host.logs('error')[0] ?? 'no reason') : null;
  }

  async check(
    plugin: PluginResource,
    pods: readonly KubeObject[],
    cluster: Cluster,
    findings: Observations,
  ): Promise<void> {
    const host = new Host(this.module);
    if (host.load(JSON.stringify(plugin.config)) === null) return;
    const ask = (object: KubeObject | string, { what, method, path, host: authority, headers }: Probe): void => {
      const exchange = host.request([
        [':method', method],
        [':path', path],
        [':authority', authority],
        [':scheme', 'http'],
        ...headers.map(([name, value]): [string, string] => [name, value]),
      ]);
      const status = exchange.response.first(':status');
      const grpcStatus = exchange.response.first('grpc-status');
      if (exchange.upstream !== null || (Number(status) < 400 && grpcStatus === undefined)) return;
      const answer = grpcStatus === undefined ? status : `gRPC status ${grpcStatus}`;
      const reason = decisionOf(exchange)?.reason ?? exchange.details;
      // a query, like the headers, may have a key in it
      const [asked] = path.split('?');
      findings.problem('traffic', object, `${what}: ${method} ${shown(asked!)} would get ${answer} (${reason})`);
    };
    if (plugin.mode === 'SERVER') for (const { object, probe } of probesOf(pods, plugin)) ask(object, probe);
    else if (pods.length > 0)
      for (const { object, probe } of await healthChecks(pods, cluster, findings)) ask(object, probe);
  }
}

/** The probes that reach a pod's application through its proxy; pods of one Deployment have the same. */
function probesOf(pods: readonly KubeObject[], plugin: PluginResource): { object: string; probe: Probe }[] {
  const seen = new Map<string, { object: string; probe: Probe }>();
  for (const pod of pods)
    for (const probe of [...probesIn(pod), ...scrapeOf(pod)]) {
      if (probe.port === null || OWN_PORTS.has(probe.port) || !isCaptured(pod, probe.port)) continue;
      if (plugin.ports !== null && !plugin.ports.includes(probe.port)) continue;
      const owner = textAt(pod.metadata, 'ownerReferences', 0, 'name') ?? pod.metadata.name;
      const key = `${pod.metadata.namespace ?? ''}/${owner} ${probe.what} ${probe.path}`;
      if (!seen.has(key)) seen.set(key, { object: nameOf({ ...pod, kind: 'Pod' }), probe });
    }
  return [...seen.values()];
}

function probesIn({ spec, status }: KubeObject): Probe[] {
  return [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')].flatMap((container) =>
    PROBES.flatMap((name): Probe[] => {
      const what = `${name} of container ${textAt(container, 'name') ?? ''}`;
      const ip = textAt(status, 'podIP') ?? ANY_ADDRESS;
      const grpc = at(container, name, 'grpc');
      if (grpc !== undefined) {
        const headers = [['content-type', 'application/grpc']] as const;
        return [
          { what, method: 'POST', path: GRPC_PROBE, host: ip, port: portOf(at(grpc, 'port'), container), headers },
        ];
      }
      const get = at(container, ...name.split('.'), 'httpGet');
      // TLS is the application's own: the proxy sees no request in it
      if (get === undefined || textAt(get, 'scheme') === 'HTTPS') return [];
      const given = listAt(get, 'httpHeaders').map(
        (header) => [(textAt(header, 'name') ?? '').toLowerCase(), textAt(header, 'value') ?? ''] as const,
      );
      return [
        {
          what,
          method: 'GET',
          path: pathOf(textAt(get, 'path')),
          host: given.find(([header]) => header === 'host')?.[1] ?? textAt(get, 'host') ?? ip,
          port: portOf(at(get, 'port'), container),
          headers: given.filter(([header]) => HEADER.test(header) && header !== 'host'),
        },
      ];
    }),
  );
}

/** How Prometheus is told to ask a pod, where that is written on the pod itself. */
function scrapeOf({ metadata: { annotations = {} }, spec, status }: KubeObject): Probe[] {
  if (annotations[SCRAPED.is] !== 'true') return [];
  const first = listAt(spec, 'containers').flatMap((container) => listAt(container, 'ports'))[0];
  const port = Number(annotations[SCRAPED.port] ?? at(first, 'containerPort') ?? NaN);
  const path = pathOf(annotations[SCRAPED.path] ?? '/metrics');
  const host = textAt(status, 'podIP') ?? ANY_ADDRESS;
  return [{ what: 'scraping', method: 'GET', path, host, port: Number.isNaN(port) ? null : port, headers: [] }];
}

function pathOf(text: string | undefined): string {
  const path = text || '/';
  return path.startsWith('/') ? path : `/${path}`;
}

/** A probe's port is a number, or the name of one of the container's. */
function portOf(port: unknown, container: unknown): number | null {
  if (typeof port === 'number') return port;
  const named = listAt(container, 'ports').find((one) => textAt(one, 'name') === port);
  const number = at(named, 'containerPort');
  return typeof number === 'number' ? number : null;
}

function isCaptured({ metadata }: KubeObject, port: number): boolean {
  const { [EXCLUDED]: excluded = '', [INCLUDED]: included = '*' } = metadata.annotations ?? {};
  const holds = (list: string): boolean =>
    list.split(',').some((one) => one.trim() === '*' || one.trim() === String(port));
  return !holds(excluded) && holds(included);
}

/** Health checks that annotations of a gateway's Service set up. */
async function healthChecks(
  pods: readonly KubeObject[],
  cluster: Cluster,
  findings: Observations,
): Promise<{ object: KubeObject; probe: Probe }[]> {
  const namespaces = [...new Set(pods.map(({ metadata }) => metadata.namespace ?? 'default'))];
  const services = await findings.look('traffic', `Services of ${namespaces.join(', ')}`, async () =>
    (await Promise.all(namespaces.map((namespace) => cluster.list(KINDS.service, namespace)))).flat(),
  );
  return (services ?? [])
    .filter((service) => isOf(service, pods))
    .flatMap((object) => {
      const annotations = Object.entries(object.metadata.annotations ?? {});
      const port = Number(annotations.find(([name]) => HEALTH_PORT.test(name))?.[1] ?? NaN);
      // the port of a Service that leads to Istio's own health check
      if (OWN_PORTS.has(port)) return [];
      // a path beside it is not used then
      const protocol = annotations.find(([name]) => HEALTH_PROTOCOL.test(name))?.[1].toLowerCase();
      if (protocol === 'tcp') return [];
      return annotations
        .filter(([name]) => HEALTH_PATH.test(name))
        .map(([what, path]) => ({
          object,
          probe: { what, method: 'GET' as const, path: pathOf(path), host: ANY_ADDRESS, port: null, headers: [] },
        }));
    });
}

function isOf(service: KubeObject, pods: readonly KubeObject[]): boolean {
  const selector = Object.entries((at(service.spec, 'selector') ?? {}) as Record<string, unknown>);
  return (
    selector.length > 0 &&
    pods.some(({ metadata }) => selector.every(([label, value]) => metadata.labels?.[label] === value))
  );
}
