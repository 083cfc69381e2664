/** A Kubernetes object as far as we look at it. What is in it comes from others. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: unknown;
  readonly data?: unknown;
  readonly status?: unknown;
}

export interface ObjectKind {
  readonly kind: string;
  /** Group and version, as in an object's `apiVersion`. */
  readonly apiVersion: string;
  /** As in the API server's paths. */
  readonly plural: string;
}

const kind = (apiVersion: string, name: string, plural = `${name.toLowerCase()}s`): ObjectKind => ({
  kind: name,
  apiVersion,
  plural,
});

export const KINDS = {
  namespace: kind('v1', 'Namespace'),
  pod: kind('v1', 'Pod'),
  secret: kind('v1', 'Secret'),
  service: kind('v1', 'Service'),
  configMap: kind('v1', 'ConfigMap'),
  gateway: kind('networking.istio.io/v1', 'Gateway'),
  virtualService: kind('networking.istio.io/v1', 'VirtualService'),
  destinationRule: kind('networking.istio.io/v1', 'DestinationRule'),
  requestAuthentication: kind('security.istio.io/v1', 'RequestAuthentication'),
  envoyFilter: kind('networking.istio.io/v1alpha3', 'EnvoyFilter'),
  wasmPlugin: kind('extensions.istio.io/v1alpha1', 'WasmPlugin'),
  trafficExtension: kind('extensions.istio.io/v1alpha1', 'TrafficExtension'),
  meshGateway: kind('gateway.networking.k8s.io/v1', 'Gateway'),
  httpRoute: kind('gateway.networking.k8s.io/v1', 'HTTPRoute'),
} as const satisfies Record<string, ObjectKind>;

/** Control characters, spaces and slashes are in no name; Kubernetes has stricter rules for most kinds. */
const NAME = /^[^\p{C}\s/]{1,253}$/u;

/** An object as an API server gives it, with what we rely on; null for anything else. */
export function objectIn(value: unknown, kindName: string): KubeObject | null {
  const metadata = at(value, 'metadata');
  const [name, namespace] = [textAt(metadata, 'name'), at(metadata, 'namespace')];
  if (name === undefined || !NAME.test(name)) return null;
  if (namespace !== undefined && !(typeof namespace === 'string' && NAME.test(namespace))) return null;
  const { labels, annotations } = metadata as Record<string, unknown>;
  if (!isTexts(labels) || !isTexts(annotations)) return null;
  return { ...(value as KubeObject), kind: kindName };
}

function isTexts(value: unknown): boolean {
  if (value === undefined) return true;
  return typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string');
}

/** `KIND NAMESPACE/NAME`, as in messages. */
export function nameOf({ kind: name, metadata }: Pick<KubeObject, 'kind' | 'metadata'>): string {
  return `${name} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
}

/** A field of a value from outside; undefined where there is none. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Record<string | number, unknown>)[step];
  }
  return found;
}

export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

export function textAt(value: unknown, ...path: readonly (string | number)[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : undefined;
}

const MOST_SHOWN = 300;

/** A string from outside on one line and without control characters: it goes to a terminal. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
}

/** The same, and not too long. */
export function shown(text: string): string {
  const line = oneLine(text);
  return line.length > MOST_SHOWN ? `${line.slice(0, MOST_SHOWN)}…` : line;
}
