import type { Cluster } from '../cluster/cluster.ts';
import { Observations, type Observation } from './observation.ts';
import { Live } from './live.ts';
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

/** What a cluster holds of Tollgate, and which proxies run it: nothing is compared with any file. */
export async function status(cluster: Cluster, options: StatusOptions): Promise<PolicyStatus[]> {
  options.note('reading resources');
  const live = await Live.read(cluster, options.namespaces);
  const plugins = live.all
    .flatMap((object) => pluginResourceOf(object) ?? [])
    .filter(({ policy }) => options.policies.length === 0 || options.policies.includes(policy))
    .filter(({ namespace }) => options.namespaces.length === 0 || options.namespaces.includes(namespace));
  const policies = [...new Set([...options.policies, ...plugins.map(({ policy }) => policy)])].sort();
  const all: PolicyStatus[] = [];
  for (const policy of policies) {
    const findings = new Observations();
    for (const reason of live.unseen) findings.unseen('resources', 'cluster', reason);
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
  return all;
}
