import type { Cluster } from '../cluster/cluster.ts';
import { Unseen } from '../cluster/error.ts';
import { KINDS, listAt, nameOf, textAt, type KubeObject, at, shown } from '../cluster/object.ts';
import { failedConditions } from './compare.ts';
import type { Observations } from './observation.ts';
import type { PluginResource } from './plugin.ts';

const PROXY = 'istio-proxy';
const GATEWAY_NAME = 'gateway.networking.k8s.io/gateway-name';
const WAYPOINT = 'istio.io/use-waypoint';
const WAYPOINT_NAMESPACE = 'istio.io/use-waypoint-namespace';
const MOST_NAMED = 5;

export interface TargetOptions {
  /** Istio's: a plugin with a selector there is for the pods of every namespace. */
  readonly rootNamespace: string;
}

/** The pods with a proxy that a plugin is for; null where they cannot be told. */
export async function podsOf(
  plugin: PluginResource,
  cluster: Cluster,
  findings: Observations,
  { rootNamespace }: TargetOptions,
): Promise<KubeObject[] | null> {
  const { label, namespace, targetRefs } = plugin;
  return findings.look('targets', label, async () => {
    if (targetRefs.length > 0) return podsBehind(plugin, cluster, findings);
    const everywhere = namespace === rootNamespace;
    const pods = (await listPods(plugin, cluster, findings, everywhere)).filter(isAlive);
    const proxied = pods.filter(hasProxy);
    const bare = pods.filter((pod) => !hasProxy(pod));
    if (pods.length === 0) await nothingThere(plugin, cluster, findings, everywhere);
    if (bare.length > 0)
      findings.problem(
        'targets',
        label,
        `${named(bare)}: ${bare.length === 1 ? 'has' : 'have'} no container ${PROXY}, so nothing is checked there; restart ${bare.length === 1 ? 'it' : 'them'} with sidecar injection on`,
      );
    return proxied;
  });
}

async function listPods(
  { label, namespace, selector }: PluginResource,
  cluster: Cluster,
  findings: Observations,
  everywhere: boolean,
): Promise<KubeObject[]> {
  const labels = selector ?? {};
  if (!everywhere) return cluster.list(KINDS.pod, namespace, labels);
  try {
    return await cluster.list(KINDS.pod, null, labels);
  } catch (error) {
    if (!(error instanceof Unseen) || !error.isForbidden) throw error;
    const here = await cluster.list(KINDS.pod, namespace, labels);
    findings.notice('targets', label, `is for pods of every namespace; only those of ${namespace} may be listed`);
    return here;
  }
}

async function nothingThere(
  { label, namespace, selector }: PluginResource,
  cluster: Cluster,
  findings: Observations,
  everywhere: boolean,
): Promise<void> {
  const there = await findings.look(
    'targets',
    label,
    async () => (await cluster.get(KINDS.namespace, null, namespace)) ?? false,
  );
  if (there === false) findings.problem('targets', label, `there is no namespace ${namespace}`);
  if (there === false) return;
  const labels = Object.entries(selector ?? {}).map(([name, value]) => `${name}: ${value}`);
  findings.problem(
    'targets',
    label,
    `no pod ${everywhere ? 'of any namespace' : `of namespace ${namespace}`}${labels.length === 0 ? ' is running' : ` has the labels { ${labels.join(', ')} }`}, so the policy is enforced nowhere`,
  );
}

/** The proxies of a Gateway, of a waypoint, or of the waypoint that a Service has. */
async function podsBehind(
  { label, namespace, targetRefs }: PluginResource,
  cluster: Cluster,
  findings: Observations,
): Promise<KubeObject[]> {
  const pods: KubeObject[] = [];
  for (const { kind, name } of targetRefs) {
    const gateway =
      kind === 'Service' ? await waypointOf(namespace, name, label, cluster, findings) : { namespace, name };
    if (gateway === null) continue;
    const object = await cluster.get(KINDS.meshGateway, gateway.namespace, gateway.name);
    const said = `Gateway ${gateway.namespace}/${gateway.name}`;
    if (object === null) {
      findings.problem('targets', label, `there is no ${said}`);
      continue;
    }
    for (const condition of failedConditions(object.status)) findings.problem('targets', said, shown(condition));
    const found = (await cluster.list(KINDS.pod, gateway.namespace, { [GATEWAY_NAME]: gateway.name })).filter(isAlive);
    if (found.length === 0) findings.problem('targets', said, 'has no pods, so the policy is enforced nowhere');
    pods.push(...found);
  }
  return pods;
}

async function waypointOf(
  namespace: string,
  name: string,
  label: string,
  cluster: Cluster,
  findings: Observations,
): Promise<{ namespace: string; name: string } | null> {
  const service = await cluster.get(KINDS.service, namespace, name);
  if (service === null) {
    findings.problem('targets', label, `there is no Service ${namespace}/${name}`);
    return null;
  }
  const own = service.metadata.labels ?? {};
  const labels =
    own[WAYPOINT] === undefined ? ((await cluster.get(KINDS.namespace, null, namespace))?.metadata.labels ?? {}) : own;
  const waypoint = labels[WAYPOINT];
  if (waypoint === undefined || waypoint === 'none') {
    findings.problem(
      'targets',
      label,
      `Service ${namespace}/${name} has no waypoint (label ${WAYPOINT}), so nothing is checked`,
    );
    return null;
  }
  return { namespace: labels[WAYPOINT_NAMESPACE] ?? namespace, name: waypoint };
}

/** The Gateways that a routing table names: they are there, and are those of the plugin's pods. */
export async function checkGateways(
  table: KubeObject,
  pods: readonly KubeObject[] | null,
  cluster: Cluster,
  findings: Observations,
): Promise<void> {
  const namespace = table.metadata.namespace ?? 'default';
  const names = listAt(table.spec, 'gateways').filter(
    (name): name is string => typeof name === 'string' && name !== 'mesh',
  );
  for (const text of names) {
    const [, of = namespace, name = text] = /^([^/]+)\/(.+)$/.exec(text) ?? [];
    const gateway = await findings.look(
      'targets',
      `Gateway ${of}/${name}`,
      async () => (await cluster.get(KINDS.gateway, of, name)) ?? false,
    );
    if (gateway === false)
      findings.problem('targets', table, `there is no Gateway ${of}/${name}, so nobody reads the table`);
    if (gateway === null || gateway === false || pods === null || pods.length === 0) continue;
    const selector = Object.entries((at(gateway.spec, 'selector') ?? {}) as Record<string, unknown>);
    const isRead = pods.some(({ metadata }) => selector.every(([label, value]) => metadata.labels?.[label] === value));
    if (!isRead)
      findings.problem(
        'targets',
        nameOf({ ...gateway, kind: 'Gateway' }),
        `selects none of the pods that ${nameOf(table)} is for: requests are routed elsewhere`,
      );
  }
}

/** Kubernetes keeps pods that have ended, and shows those that are to go. */
function isAlive({ metadata, status }: KubeObject): boolean {
  return (
    !['Succeeded', 'Failed'].includes(textAt(status, 'phase') ?? '') && !Object.hasOwn(metadata, 'deletionTimestamp')
  );
}

/** A sidecar may be a container, or an init container that goes on running. */
export function hasProxy({ spec }: KubeObject): boolean {
  return [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')].some(
    (one) => textAt(one, 'name') === PROXY,
  );
}

function named(pods: readonly KubeObject[]): string {
  const names = pods.slice(0, MOST_NAMED).map(({ metadata: { namespace, name } }) => `pod ${namespace ?? ''}/${name}`);
  return pods.length > MOST_NAMED ? `${names.join(', ')} and ${pods.length - MOST_NAMED} more` : names.join(', ');
}
