import type { Cluster } from '../cluster/cluster.ts';
import { ClusterError } from '../cluster/error.ts';
import type { KubeObject } from '../cluster/object.ts';
import { placesOf } from '../istio/place.ts';
import type { Policy } from '../policy/index.ts';
import { compareResources } from './compare.ts';
import { type Expected, expectedIn, expectedOf, namespacesOf } from './expected.ts';
import { type Area, type Observation, Observations } from './observation.ts';
import { checkImages, type RegistryAccess } from './image.ts';
import { Live } from './live.ts';
import { checkPaths } from './meshConfig.ts';
import { PLUGIN_KINDS, type PluginResource, pluginResourceOf } from './plugin.ts';
import { type ProxyOptions, proxyState, type ProxyState } from './proxy.ts';
import { checkTables } from './routing.ts';
import { checkGateways, podsOf, type TargetOptions } from './target.ts';
import { Traffic } from './traffic.ts';
import { checkZones } from './zone.ts';

/** What says how things are to be: files that were emitted, or a policy and what was given to emit it. */
export type Subject =
  | { readonly folder: string }
  | {
      readonly policy: Policy;
      readonly source: string;
      readonly emitted: { readonly image: string; readonly pullSecret?: string } | null;
    };

export interface VerifyOptions extends TargetOptions, RegistryAccess, ProxyOptions {
  readonly skipped: readonly Area[];
  /** Proxies that are asked of each plugin; the others are told as a number. */
  readonly mostProxies: number;
  readonly note: (text: string) => void;
}

export interface PluginReport {
  readonly plugin: PluginResource;
  readonly pods: number | null;
  readonly proxies: readonly ProxyState[];
}

export interface PolicyReport {
  readonly policy: string;
  readonly source: string;
  readonly resources: number;
  readonly findings: readonly Observation[];
  readonly plugins: readonly PluginReport[];
}

/** One report for each policy of the subject. Rejects with a ClusterError where nothing could be looked at. */
export async function verify(subject: Subject, cluster: Cluster, options: VerifyOptions): Promise<PolicyReport[]> {
  options.note('reading resources');
  if ('folder' in subject) {
    const expected = await expectedIn(subject.folder);
    if (expected.length === 0) throw new ClusterError(`${subject.folder}: holds no file that "tollgate emit" wrote`);
    const live = await Live.read(cluster, [...new Set(expected.flatMap(({ resources }) => namespacesOf(resources)))]);
    const reports: PolicyReport[] = [];
    for (const one of expected)
      reports.push(await reportOf(one, live, cluster, new Observations(options.skipped), options));
    return reports;
  }
  const { policy, source, emitted } = subject;
  const live = await Live.read(cluster, [...new Set(placesOf(policy).map(({ namespace }) => namespace))]);
  const findings = new Observations(options.skipped);
  const expected = await expectedOf(policy, source, emitted, { live, findings });
  return [await reportOf(expected, live, cluster, findings, options)];
}

async function reportOf(
  expected: Expected,
  live: Live,
  cluster: Cluster,
  findings: Observations,
  options: VerifyOptions,
): Promise<PolicyReport> {
  const { policy, source, resources, undecided } = expected;
  const found = await compareResources(expected, live, findings);
  const there = pluginsIn(found);
  checkZones(there, Date.now() / 1000, findings);
  if (!findings.isAsked('resources'))
    for (const { kind, object, text } of [...findings.all])
      if (kind === 'unseen' && PLUGIN_KINDS.some((one) => object.startsWith(`${one} `)))
        findings.unseen('proxies', object, text);
  // a plugin that is not there yet is looked at as it would be
  const wanted = pluginsIn(resources.filter((one) => !undecided.includes(one))).filter(
    ({ label }) => !there.some((one) => one.label === label),
  );
  const plugins = [...there, ...wanted];
  const tables = found.filter(({ kind }) => ['VirtualService', 'HTTPRoute'].includes(kind));
  const reports: PluginReport[] = [];
  const traffic = await Traffic.load();
  for (const plugin of plugins) {
    options.note(`${policy}: looking at ${plugin.label}`);
    const pods = await podsOf(plugin, cluster, findings, options);
    if (findings.isAsked('targets'))
      for (const table of resources.filter((one) => isTableOf(one, plugin)))
        await checkGateways(table, pods, cluster, findings);
    // whoever does not ask for targets is not told so there
    if (pods === null && !findings.isAsked('targets'))
      for (const area of ['proxies', 'traffic'] as const)
        findings.unseen(area, plugin.label, 'its pods could not be listed');
    const isThere = there.includes(plugin);
    const proxies =
      isThere && findings.isAsked('proxies') ? await askProxies(plugin, pods ?? [], cluster, options) : [];
    if (isThere && findings.isAsked('proxies')) tellProxies(plugin, proxies, traffic, findings);
    if (findings.isAsked('traffic')) {
      if (traffic === null)
        findings.unseen('traffic', plugin.label, 'the module is not built; "tollgate build" makes it');
      else await traffic.check(plugin, pods ?? [], cluster, findings);
      await checkPaths(plugin, pods ?? [], cluster, findings, options);
    }
    reports.push({ plugin, pods: pods?.length ?? null, proxies });
  }
  if (findings.isAsked('routing')) await checkTables(plugins, tables, cluster, findings);
  if (findings.isAsked('image')) {
    options.note(`${policy}: asking the registry`);
    await checkImages(plugins, cluster, findings, options);
  }
  const asked = findings.all.filter(({ area }) => findings.isAsked(area));
  return { policy, source, resources: resources.length, findings: asked, plugins: reports };
}

function pluginsIn(objects: readonly KubeObject[]): PluginResource[] {
  return objects.flatMap((object) => pluginResourceOf(object) ?? []);
}

/** The table of a place has the name of its plugin, and a number behind it where it is split. */
function isTableOf({ kind, metadata }: KubeObject, { name, namespace }: PluginResource): boolean {
  return (
    kind === 'VirtualService' &&
    metadata.namespace === namespace &&
    metadata.name.startsWith(name) &&
    /^(?:-\d+)?$/.test(metadata.name.slice(name.length))
  );
}

export async function askProxies(
  plugin: PluginResource,
  pods: readonly KubeObject[],
  cluster: Cluster,
  options: ProxyOptions & { readonly mostProxies: number; readonly note: (text: string) => void },
): Promise<ProxyState[]> {
  const asked = pods.slice(0, options.mostProxies);
  let done = 0;
  return Promise.all(
    asked.map(async (pod) => {
      const state = await proxyState(plugin, pod, cluster, options);
      options.note(`${plugin.label}: ${++done} of ${asked.length} proxies`);
      return state;
    }),
  );
}

function tellProxies(
  plugin: PluginResource,
  proxies: readonly ProxyState[],
  traffic: Traffic | null,
  findings: Observations,
): void {
  const refusal = traffic?.refusalOf(plugin) ?? null;
  if (refusal !== null)
    findings.problem(
      'proxies',
      plugin.label,
      `the module refuses the plugin config, and proxies keep the one they have: ${refusal}`,
    );
  for (const proxy of proxies) {
    const pod = `pod ${proxy.pod}`;
    const text = problemOf(plugin, proxy);
    if (text !== null) findings.problem('proxies', pod, text);
    else if (proxy.state === 'unseen') findings.unseen('proxies', pod, proxy.unread.join('; '));
  }
  // metrics are enough to know the policy; what else could be read is good to know
  for (const { state, unread } of proxies)
    if (state !== 'unseen') for (const one of unread) findings.notice('proxies', plugin.label, `not read: ${one}`);
}

function problemOf({ label, digest, image }: PluginResource, proxy: ProxyState): string | null {
  switch (proxy.state) {
    case 'shut':
      return `could not pull the image of ${label}, so it answers 403 to every request`;
    case 'open':
      return `could not pull the image of ${label}, so it checks no request`;
    case 'none':
      return `has nothing of ${label}, so it checks no request`;
    case 'other':
      if (proxy.refusal !== null) return `has refused ${label}: ${proxy.refusal}`;
      return proxy.digest === null || proxy.digest === digest
        ? `runs image ${proxy.image ?? 'unknown'}; ${label} says ${image}`
        : `runs policy digest ${proxy.digest}; ${label} says ${digest}`;
    default:
      return null;
  }
}
