import type { Cluster } from '../cluster/cluster.ts';
import { KINDS, shown, textAt } from '../cluster/object.ts';
import { type Credential, secretCredential } from '../oci/credentials.ts';
import { OciError } from '../oci/error.ts';
import { refusalToPull } from '../oci/pull.ts';
import { endpoint, parseReference } from '../oci/reference.ts';
import type { Observations } from './observation.ts';
import type { PluginResource } from './plugin.ts';

export interface RegistryAccess {
  readonly plainHttp: boolean;
  readonly allowedHosts: readonly string[];
  readonly signal: AbortSignal;
}

const FIELD = '.dockerconfigjson';

/** Whether Istio's agents could pull each image: with the Secret that is named, or as anybody, as they would. */
export async function checkImages(
  plugins: readonly PluginResource[],
  cluster: Cluster,
  findings: Observations,
  access: RegistryAccess,
): Promise<void> {
  const seen = new Set<string>();
  for (const plugin of plugins) {
    const { image, namespace, pullSecret } = plugin;
    const key = JSON.stringify([image, pullSecret === null ? null : [namespace, pullSecret]]);
    if (!seen.has(key)) await checkImage(plugin, cluster, findings, access);
    seen.add(key);
  }
}

async function checkImage(
  plugin: PluginResource,
  cluster: Cluster,
  findings: Observations,
  access: RegistryAccess,
): Promise<void> {
  const { image, label } = plugin;
  try {
    const place = endpoint(parseReference(image));
    const credential = await credentialOf(plugin, parseReference(image), cluster, findings);
    if (credential === undefined) return;
    const refusal = await refusalToPull(image, { ...access, credentials: () => Promise.resolve(credential) });
    if (refusal !== null)
      findings.problem('image', label, `cannot be pulled: ${shown(refusal)}${asWhom(plugin, credential, place.host)}`);
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    if (error.name === 'InvalidReference') findings.problem('image', label, `url: ${shown(error.message)}`);
    // a registry that only the cluster can reach is not one that refuses
    else findings.unseen('image', label, shown(error.message));
  }
}

/** Undefined: it is not known what the agents would use. */
async function credentialOf(
  { namespace, pullSecret, label }: PluginResource,
  place: { host: string; repository: string },
  cluster: Cluster,
  findings: Observations,
): Promise<Credential | null | undefined> {
  if (pullSecret === null) return null;
  const name = `Secret ${namespace}/${pullSecret}`;
  const secret = await findings.look(
    'image',
    name,
    async () => (await cluster.get(KINDS.secret, namespace, pullSecret)) ?? false,
  );
  if (secret === null) return undefined;
  if (secret === false) {
    findings.problem('image', label, `imagePullSecret: there is no ${name}`);
    return undefined;
  }
  const encoded = textAt(secret.data, FIELD);
  if (encoded === undefined) {
    findings.problem('image', name, `has no ${FIELD}; make it with "kubectl create secret docker-registry"`);
    return undefined;
  }
  try {
    return secretCredential(Buffer.from(encoded, 'base64').toString('utf8'), place, name);
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    findings.problem('image', name, shown(error.message.replace(`${name}: `, '')));
    return undefined;
  }
}

function asWhom({ namespace, pullSecret }: PluginResource, credential: Credential | null, host: string): string {
  if (pullSecret === null) return '; no imagePullSecret is named';
  return credential === null
    ? `; Secret ${namespace}/${pullSecret} has nothing for ${host}`
    : `; with Secret ${namespace}/${pullSecret}`;
}
