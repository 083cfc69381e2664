import { validPolicy } from '../../scripts/policy/index.ts';
import { type EmitOptions, emitResources } from '../../scripts/istio/index.ts';
import { documents, type KubeObject } from '../../harness/mesh/kubeClient.ts';

/** What rolls a policy out: the YAML that `tollgate emit` writes, read as Kubernetes reads them. */
export function resourcesOf(policy: object, options: EmitOptions): KubeObject[] {
  const { policy: checked } = validPolicy(JSON.stringify(policy), 'mesh.policy.yaml');
  return emitResources(checked, options).flatMap(({ text }) => documents(text));
}

/** The one plugin among them. */
export function pluginIn(resources: readonly KubeObject[]): KubeObject {
  const [plugin, ...others] = resources.filter(({ apiVersion }) => apiVersion.startsWith('extensions.istio.io/'));
  if (plugin === undefined || others.length > 0)
    throw new Error(`${resources.length} resources, of them not one plugin`);
  return plugin;
}
