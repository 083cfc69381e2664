import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CORE_SCHEMA, load } from 'js-yaml';

const CHART = 'manifests/charts/istio-control/istio-discovery';
const TEMPLATES = { sidecar: 'injection-template.yaml', gateway: 'gateway-injection-template.yaml' } as const;

/** A pod as somebody deploys it, before Istio has added its proxy. */
export interface PodToInject {
  readonly name: string;
  readonly namespace: string;
  readonly kind: keyof typeof TEMPLATES;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Writes what istiod reads of its injector where it starts: the chart's templates and default values, as Helm would fill them in. */
export async function writeInjector(source: string, folder: string): Promise<void> {
  const place = join(folder, 'var/lib/istio/inject');
  const chart = load(await readFile(join(source, CHART, 'values.yaml'), 'utf8'), { schema: CORE_SCHEMA });
  const { _internal_defaults_do_not_set: defaults } = chart as { _internal_defaults_do_not_set: Values };
  const { global, sidecarInjectorWebhook, revision, cni, env, gateways } = defaults;
  const templates: Record<string, string> = {};
  for (const [name, file] of Object.entries(TEMPLATES))
    templates[name] = await readFile(join(source, CHART, 'files', file), 'utf8');
  await mkdir(place, { recursive: true });
  await writeFile(
    join(place, 'values'),
    JSON.stringify({ global, sidecarInjectorWebhook, revision, pilot: { cni, env }, gateways }),
  );
  await writeFile(
    join(place, 'config'),
    JSON.stringify({ policy: 'enabled', defaultTemplates: ['sidecar'], templates }),
  );
}

type Values = Record<'global' | 'sidecarInjectorWebhook' | 'revision' | 'cni' | 'env' | 'gateways', unknown>;

/**
 * Asks istiod's webhook about a pod, as the API server does when it is made; resolves to the proxy config that the webhook writes
 * into the environment of the pod's proxy.
 */
export async function injectedProxyConfig(url: string, pod: PodToInject): Promise<Record<string, unknown>> {
  const { name, namespace, kind, labels, annotations } = pod;
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels,
      annotations: { ...(kind === 'gateway' && { 'inject.istio.io/templates': 'gateway' }), ...annotations },
    },
    spec: { containers: [kind === 'gateway' ? { name: 'istio-proxy', image: 'auto' } : { name: 'app', image: 'app' }] },
  };
  const review = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: name,
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace,
      operation: 'CREATE',
      object,
    },
  };
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(review),
  });
  const text = await answer.text();
  const { response } = JSON.parse(text) as { response?: { patch?: string } };
  if (response?.patch === undefined) throw new Error(`istiod did not inject ${namespace}/${name}: ${text}`);
  const patch = JSON.parse(Buffer.from(response.patch, 'base64').toString('utf8')) as unknown;
  const [config, ...more] = variablesIn(patch, 'PROXY_CONFIG');
  if (config === undefined || more.length > 0) throw new Error(`not one PROXY_CONFIG in ${JSON.stringify(patch)}`);
  return JSON.parse(config) as Record<string, unknown>;
}

/** Values of an environment variable, wherever a JSON patch has it: in a whole container, in a list, or alone. */
function variablesIn(value: unknown, name: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { name: own, value: text } = value as { name?: unknown; value?: unknown };
  if (own === name && typeof text === 'string') return [text];
  return Object.values(value).flatMap((member) => variablesIn(member, name));
}
