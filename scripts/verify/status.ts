import type { Cluster } from '../cluster/cluster.ts';
import { Observations, type Observation } from './observation.ts';
import { Live, PLUGINS } from './live.ts';
import { pluginResourceOf } from './plugin.ts';
import type { ProxyOptions } from './proxy.ts';
import { podsOf, type TargetOptions } from './target.ts';
import { askProxies, type PluginReport } from './verify.ts';

export interface StatusOptions extends TargetOptions, ProxyOptions {
  /** Only these; empty: all. */
  readonly policies: readonly string[];
  /** Only these namespaces; empty: all. */
  readonly namespaces: readonly string[];
  readonly mostProxies: number;
  readonly note: (text: string) => void;
}

export interface PolicyStatus {
  readonly policy: string;
  readonly plugins: readonly PluginReport[];
  readonly findings: readonly Observation[];
}

export interface ClusterStatus {
  readonly policies: readonly PolicyStatus[];
  /** Kinds of plugins that could not be listed, and why: there may be more than `policies` says. */
  readonly unseen: readonly string[];
}

/** What a cluster holds of Tollgate, and which proxies run it: nothing is compared with any file. */
export async function status(cluster: Cluster, options: StatusOptions): Promise<ClusterStatus> {
  options.note('reading resources');
  const live = await Live.read(cluster, options.namespaces, PLUGINS);
  const plugins = live.all
    .flatMap((object) => pluginResourceOf(object) ?? [])
    .filter(({ policy }) => options.policies.length === 0 || options.policies.includes(policy))
    .filter(({ namespace }) => options.namespaces.length === 0 || options.namespaces.includes(namespace));
  const policies = [...new Set([...options.policies, ...plugins.map(({ policy }) => policy)])].sort();
  const all: PolicyStatus[] = [];
  for (const policy of policies) {
    const findings = new Observations();
    const reports: PluginReport[] = [];
    for (const plugin of plugins.filter((one) => one.policy === policy)) {
      options.note(`${policy}: looking at ${plugin.label}`);
      const pods = await podsOf(plugin, cluster, findings, options);
      reports.push({
        plugin,
        pods: pods?.length ?? null,
        proxies: await askProxies(plugin, pods ?? [], cluster, options),
      });
    }
    all.push({ policy, plugins: reports, findings: findings.all });
  }
  return { policies: all, unseen: live.unseen };
}
