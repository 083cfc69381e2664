import { Refusal } from '../command.ts';
import type { Resource } from './resource.ts';

/** etcd refuses larger requests by default (--max-request-bytes). */
export const MAX_REQUEST_BYTES = 1_572_864;
/** Left free for what the API server adds: managed fields, times, the key, the request's frame. */
export const MARGIN_BYTES = 65_536;
/** Kubernetes' bound on all annotations; client-side apply puts the whole object into one. */
export const MAX_ANNOTATION_BYTES = 262_144;

/** Bytes of the resource as the API server stores it: custom resources lie in etcd as JSON. */
export function storedBytes(resource: Resource): number {
  return Buffer.byteLength(JSON.stringify(resource));
}

/** Refuses what the API server would, before it has to. */
export function checkSize(resource: Resource, most: number = MAX_REQUEST_BYTES - MARGIN_BYTES): void {
  const bytes = storedBytes(resource);
  if (bytes <= most) return;
  throw new Refusal(
    `${resource.kind} ${resource.metadata.name}: would have ${bytes} bytes, and etcd takes ${most} at most (${MAX_REQUEST_BYTES} less what the API server adds); ` +
      'move some APIs with their consumers to a policy of their own, or remove keys that are revoked or expired',
  );
}
