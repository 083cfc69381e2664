import type { Cluster } from '../cluster/cluster.ts';
import { Unseen } from '../cluster/error.ts';
import { at, listAt, shown, textAt, type KubeObject } from '../cluster/object.ts';
import { digestIn, type PluginResource } from './plugin.ts';

const ADMIN_PORT = 15_000;
const METRICS_PORT = 15_090;
const METRICS_PORT_NAME = 'http-envoy-prom';

/** What one proxy runs of one plugin. */
export interface ProxyState {
  /** `NAMESPACE/POD` */
  readonly pod: string;
  /**
   * current: what the cluster says. other: another config of the policy. none: no plugin. shut, open: the image could not be
   * pulled, so every request is refused, or none is checked. unseen: neither metrics nor config dump could be read.
   */
  readonly state: 'current' | 'other' | 'none' | 'shut' | 'open' | 'unseen';
  /** Of the module; null: not told. */
  readonly version: string | null;
  /** First digits of the policy's digest. */
  readonly digest: string | null;
  /** First digits of the digest of the image's manifest. */
  readonly image: string | null;
  /** Why the proxy does not have what it was sent, in its own words. */
  readonly refusal: string | null;
  /** What could not be read, and why. */
  readonly unread: readonly string[];
}

export interface ProxyOptions {
  /** False: only metrics are read, and no port is forwarded. */
  readonly dumps: boolean;
}

/** One config in force: while an edit is rolled out, and where a VM has refused it, there are several. */
interface Info {
  readonly version: string;
  readonly digest: string;
}

/** What a pod's proxy says of a plugin, in its metrics and its config dump. */
export async function proxyState(
  plugin: PluginResource,
  pod: KubeObject,
  cluster: Cluster,
  options: ProxyOptions,
): Promise<ProxyState> {
  const { namespace = 'default', name } = pod.metadata;
  const unread: string[] = [];
  const read = async <T>(what: string, look: () => Promise<T>): Promise<T | null> => {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof Unseen)) throw error;
      unread.push(`${what}: ${error.message}`);
      return null;
    }
  };
  const metrics = await read('metrics', async () =>
    infosIn(await cluster.page(namespace, name, metricsPort(pod), '/stats/prometheus?filter=tollgate'), plugin.policy),
  );
  const path = '/config_dump?resource=ecds_filters';
  const dump = options.dumps
    ? await read('config dump', async () =>
        filterIn(await cluster.localPage(namespace, name, ADMIN_PORT, path), plugin),
      )
    : null;
  return { pod: `${namespace}/${name}`, ...judged(plugin, metrics, dump), unread };
}

function metricsPort({ spec }: KubeObject): number {
  const containers = [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')];
  const ports = containers.flatMap((container) => listAt(container, 'ports'));
  const named = at(
    ports.find((port) => textAt(port, 'name') === METRICS_PORT_NAME),
    'containerPort',
  );
  return typeof named === 'number' ? named : METRICS_PORT;
}

/** With a bound, because any pod can answer anything. */
const INFO = /^(?:envoy_)?(?:wasmcustom_)?tollgate_info\{([^}\n]{0,2000})\} 1(?:\.0*)?$/gm;

/** The configs in force by the module's own gauge; a config that is no longer in force has the value 0. */
export function infosIn(metrics: string, policy: string): Info[] {
  return [...metrics.matchAll(INFO)].flatMap(([, labels = '']) => {
    const values = new Map(
      [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = '', value = '']) => [name, value]),
    );
    if (values.get('policy') !== policy) return [];
    return [{ version: shown(values.get('version') ?? ''), digest: shown(values.get('digest') ?? '') }];
  });
}

/** What Envoy has for a plugin. */
export interface Filter {
  readonly kind: 'wasm' | 'shut' | 'open' | 'none';
  readonly digest: string | null;
  readonly image: string | null;
  readonly refusal: string | null;
}

/** Finds the filter of a plugin's resource among those that Envoy got by extension discovery. */
export function filterIn(dump: string, { namespace, name }: PluginResource): Filter {
  let value: unknown;
  try {
    value = JSON.parse(dump);
  } catch {
    throw new Unseen('is not JSON');
  }
  const own = new RegExp(`(^|[./])${escaped(namespace)}\\.${escaped(name)}(~|$)`);
  const entry = listAt(value, 'configs')
    .flatMap((config) => [config, ...listAt(config, 'ecds_filters')])
    .find((config) => own.test(textAt(config, 'ecds_filter', 'name') ?? ''));
  const refusal = textAt(entry, 'error_state', 'details');
  const config = at(entry, 'ecds_filter', 'typed_config');
  const found = { digest: null, image: null, refusal: refusal === undefined ? null : shown(refusal) };
  if (config === undefined) return { ...found, kind: 'none' };
  const wasm = at(config, 'config');
  // in place of a module that it cannot pull, Istio's agent sends an RBAC filter: with rules that allow nobody, or without rules
  if (wasm === undefined) return { ...found, kind: at(config, 'rules') === undefined ? 'open' : 'shut' };
  const file = textAt(wasm, 'vm_config', 'code', 'local', 'filename');
  const text = textAt(wasm, 'configuration', 'value');
  return {
    ...found,
    kind: 'wasm',
    digest: text === undefined ? null : digestOf(text),
    image: /([0-9a-f]{64})\.wasm$/.exec(file ?? '')?.[1]?.slice(0, 12) ?? null,
  };
}

function digestOf(text: string): string | null {
  try {
    return digestIn(JSON.parse(text));
  } catch {
    return null;
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** The module's word counts before Envoy's: a config that Envoy has is not yet one that every VM took. */
function judged(
  plugin: PluginResource,
  metrics: readonly Info[] | null,
  dump: Filter | null,
): Omit<ProxyState, 'pod' | 'unread'> {
  const info = metrics?.find(({ digest }) => digest !== plugin.digest) ?? metrics?.[0] ?? null;
  const seen = {
    version: info?.version ?? null,
    digest: info?.digest ?? dump?.digest ?? null,
    image: dump?.image ?? null,
    refusal: dump?.refusal ?? null,
  };
  if (dump?.kind === 'shut' || dump?.kind === 'open') return { ...seen, digest: null, state: dump.kind };
  if (seen.digest !== null) {
    const isImage = seen.image === null || plugin.image.includes(`@sha256:${seen.image}`);
    return { ...seen, state: seen.digest === plugin.digest && isImage && seen.refusal === null ? 'current' : 'other' };
  }
  if (dump?.kind === 'none' || (dump === null && metrics !== null)) return { ...seen, state: 'none' };
  return { ...seen, state: dump === null ? 'unseen' : 'other' };
}
