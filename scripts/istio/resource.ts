import { dump } from 'js-yaml';
import { MAX_OBJECT_BYTES, MAX_REQUEST_BYTES } from '../policy/index.ts';
import { EmitError } from './error.ts';

/** A Kubernetes object as it is emitted: without anything that the API server adds. */
export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  /** Every kind but a ConfigMap has one. */
  readonly spec?: object;
  /** Strings by name, of a ConfigMap. */
  readonly data?: Readonly<Record<string, string>>;
}

const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'tollgate' } as const;

/** Name, namespace and labels of a resource of ours: every name begins with `tollgate-` and the policy's. */
export function metadata(policy: string, suffix: string, namespace: string): Resource['metadata'] {
  const name = ['tollgate', policy, suffix].filter((part) => part !== '').join('-');
  return {
    name,
    namespace,
    labels: { ...MANAGED_BY, 'app.kubernetes.io/name': 'tollgate', 'app.kubernetes.io/instance': policy },
  };
}

const HEADER = '# Emitted by "tollgate emit" from the policy ';

/**
 * A resource as YAML that every reader understands alike. All strings are quoted: to a reader of YAML 1.1, as many tools of
 * Kubernetes are, a plain `no` is false, `1e3` a number and `12:30` seconds.
 */
export function yamlOf(resource: Resource, policy: string): string {
  const { data, ...rest } = resource;
  const body = dump(rest, { forceQuotes: true, quoteStyle: 'double', lineWidth: -1, noRefs: true });
  return `${headerOf(policy)}\n${body}${
    data === undefined
      ? ''
      : `data:\n${Object.entries(data)
          .map(([name, text]) => blockOf(name, text))
          .join('')}`
  }`;
}

/** A string of several lines as it is; its first line is not indented, and its last one ends with a line break. */
function blockOf(name: string, text: string): string {
  return `  ${JSON.stringify(name)}: |\n${text.replace(/^(?=.)/gm, '    ')}`;
}

function headerOf(policy: string): string {
  return `${HEADER}"${policy}". Edit the policy instead.`;
}

/** The policy that a file was emitted from; null for a file that somebody else made. */
export function emittedFrom(text: string): string | null {
  const line = text.slice(0, Math.max(0, text.indexOf('\n')));
  const policy = line.startsWith(HEADER) ? /^"([a-z0-9-]+)"\. /.exec(line.slice(HEADER.length))?.[1] : undefined;
  return policy ?? null;
}

/** Kubernetes' bound on all annotations of an object, their names included. */
export const MAX_ANNOTATION_BYTES = 262_144;
/** Where client-side apply keeps a copy of the object: with an empty mapping of annotations, and a line break at its end. */
const COPY_NAME = 'kubectl.kubernetes.io/last-applied-configuration';
const COPY_EXTRA = ',"annotations":{}\n';

/** The largest object that client-side apply takes. */
export const MAX_CLIENT_SIDE_BYTES = MAX_ANNOTATION_BYTES - COPY_NAME.length - COPY_EXTRA.length;

/** Bytes of the resource as the API server stores it: custom resources lie in etcd as JSON, in which Go writes <, > and & as escapes. */
export function storedBytes(resource: Resource): number {
  return Buffer.byteLength(JSON.stringify(resource).replace(/[<>&\u2028\u2029]/g, '\\u0000'));
}

/** Refuses what the API server would, before it has to. */
export function checkSize(resource: Resource, most: number = MAX_OBJECT_BYTES): void {
  const bytes = storedBytes(resource);
  if (bytes <= most) return;
  throw new EmitError(
    `${resource.kind} ${resource.metadata.name}: would have ${bytes} bytes, and etcd takes ${most} at most (${MAX_REQUEST_BYTES} less what the API server adds); ` +
      'move some APIs with their consumers to a policy of their own, or remove keys that are revoked or expired',
  );
}
