import { Refusal } from '../cli/command.ts';
import type { Resource } from './resource.ts';

/** etcd refuses larger requests by default (--max-request-bytes). */
export const MAX_REQUEST_BYTES = 1_572_864;
/** Left free for what the API server adds: managed fields, times, the key, the request's frame. */
export const MARGIN_BYTES = 65_536;
/** Kubernetes' bound on all annotations of an object, their names included. */
export const MAX_ANNOTATION_BYTES = 262_144;
/** Where client-side apply keeps a copy of the object: with an empty mapping of annotations, and a line break at its end. */
const COPY_NAME = 'kubectl.kubernetes.io/last-applied-configuration';
const COPY_EXTRA = ',"annotations":{}\n';

/** Kubernetes' bound on the texts of a ConfigMap. */
export const MAX_CONFIG_MAP_BYTES = 1_048_576;

/** The largest object that client-side apply takes. */
export const MAX_CLIENT_SIDE_BYTES = MAX_ANNOTATION_BYTES - COPY_NAME.length - COPY_EXTRA.length;

/** Bytes of the resource as the API server stores it: custom resources lie in etcd as JSON, in which Go writes <, > and & as escapes. */
export function storedBytes(resource: Resource): number {
  return Buffer.byteLength(JSON.stringify(resource).replace(/[<>&\u2028\u2029]/g, '\\u0000'));
}

/** Refuses what the API server would, before it has to. */
export function checkSize(resource: Resource, most: number = MAX_REQUEST_BYTES - MARGIN_BYTES): void {
  const texts = Object.values(resource.data ?? {}).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (texts > MAX_CONFIG_MAP_BYTES) {
    throw new Refusal(
      `ConfigMap ${resource.metadata.name}: would hold ${texts} bytes, and Kubernetes takes ${MAX_CONFIG_MAP_BYTES} at most; make plans of limits that many consumers have, instead of limits of their own`,
    );
  }
  const bytes = storedBytes(resource);
  if (bytes <= most) return;
  throw new Refusal(
    `${resource.kind} ${resource.metadata.name}: would have ${bytes} bytes, and etcd takes ${most} at most (${MAX_REQUEST_BYTES} less what the API server adds); ` +
      'move some APIs with their consumers to a policy of their own, or remove keys that are revoked or expired',
  );
}
