import { CORE_SCHEMA, load } from 'js-yaml';
import type { Cluster } from '../cluster/cluster.ts';
import { KINDS, listAt, nameOf, textAt, type KubeObject } from '../cluster/object.ts';
import type { PathData } from '../contract/pluginConfig.ts';
import type { Observations } from './observation.ts';
import type { PluginResource } from './plugin.ts';
import type { TargetOptions } from './target.ts';

/** Istio's control plane of a pod, where there are several. */
const REVISION = 'istio.io/rev';

/** What Envoy takes out of paths before the module sees them, by the mesh's setting. */
const LOST: Readonly<Record<string, readonly PathData[]>> = {
  MERGE_SLASHES: ['empty-segments'],
  DECODE_AND_MERGE_SLASHES: ['empty-segments', 'escaped-slashes'],
};

/** Whether the mesh lets such paths through to the plugin's proxies in which slashes are data, for APIs that have them. */
export async function checkPaths(
  plugin: PluginResource,
  pods: readonly KubeObject[],
  cluster: Cluster,
  findings: Observations,
  { rootNamespace }: TargetOptions,
): Promise<void> {
  const apis = listAt(plugin.config, 'apis').filter((api) => listAt(api, 'pathData').length > 0);
  if (apis.length === 0) return;
  const revisions = new Set(pods.map(({ metadata }) => metadata.labels?.[REVISION] ?? 'default'));
  for (const revision of revisions.size === 0 ? ['default'] : revisions) {
    const name = revision === 'default' ? 'istio' : `istio-${revision}`;
    const what = nameOf({ kind: 'ConfigMap', metadata: { namespace: rootNamespace, name } });
    const found = await findings.look(
      'traffic',
      what,
      async () => (await cluster.get(KINDS.configMap, rootNamespace, name)) ?? false,
    );
    if (found === null) continue;
    const setting = found === false ? null : normalizationIn(found);
    if (setting === null) {
      findings.unseen(
        'traffic',
        what,
        `${found === false ? 'is not there' : 'holds no mesh config'}, so whether "pathData" reaches ${plugin.label} is not known`,
      );
      continue;
    }
    for (const api of apis) {
      const lost = listAt(api, 'pathData').filter((data) => (LOST[setting] ?? []).includes(data as PathData));
      if (lost.length > 0)
        findings.problem(
          'traffic',
          what,
          `pathNormalization is ${setting}, so ${lost.join(' and ')} of API ${textAt(api, 'name') ?? ''} never reach ${plugin.label}; BASE and NONE let them through`,
        );
    }
  }
}

/** `meshConfig.pathNormalization`, which is BASE where nothing is said; null where the object holds no mesh config. */
function normalizationIn({ data }: KubeObject): string | null {
  const text = textAt(data, 'mesh');
  if (text === undefined) return null;
  try {
    return textAt(load(text, { schema: CORE_SCHEMA }), 'pathNormalization', 'normalization') ?? 'BASE';
  } catch {
    return null;
  }
}
