import { createHash } from 'node:crypto';
import { steadyWindow } from '../../harness/envoy/testPolicy.ts';

export const ACME = { 'x-api-key': 'acme-secret-key' };
export const RICH = { 'x-api-key': 'rich-secret-key' };

export interface PolicyOptions {
  readonly name?: string;
  readonly targets: readonly object[];
  readonly hosts?: readonly string[];
  readonly paths?: readonly string[];
  /** Requests that acme has in an hour. */
  readonly limit?: number;
  /** Sent upstream as `x-revision` with every GET, so that a test sees which configuration is in force. */
  readonly revision?: string;
  readonly unmatched?: 'allow';
  /** False: the upstreams name no service of the mesh, so that no routes are emitted. */
  readonly routed?: boolean;
}

export const SEEN_HOST = 'pets-v2.example.com';
export const DESTINATION = 'petstore.shop.svc.cluster.local';

/** Consumer acme with `limit` requests, consumer rich with no end of them; route v2 by a header, to a subset of its own. */
export function meshPolicy({
  name = 'petstore',
  targets,
  hosts,
  paths = ['/v1'],
  limit = 3,
  revision,
  unmatched,
  routed = true,
}: PolicyOptions) {
  const setHeaders = revision === undefined ? {} : { setHeaders: { 'x-revision': revision } };
  return {
    policy: name,
    targets,
    ...(unmatched && { unmatched }),
    upstreams: { v1: upstream('v1', routed), v2: upstream('v2', routed) },
    apis: {
      [name]: {
        ...(hosts && { hosts }),
        paths,
        plans: ['counted', 'endless'],
        upstream: 'v1',
        routes: [
          { name: 'v2', when: { headers: { 'x-api-version': '2' } }, upstream: 'v2', ...setHeaders },
          ...(revision === undefined ? [] : [{ name: 'marked', when: { methods: ['GET'] }, ...setHeaders }]),
        ],
      },
    },
    plans: { counted: { quotas: { main: { limit, window: steadyWindow() } } }, endless: {} },
    consumers: {
      acme: { plan: 'counted', keys: [{ id: 'acme-1', digest: digestOf(ACME['x-api-key']) }] },
      rich: { plan: 'endless', keys: [{ id: 'rich-1', digest: digestOf(RICH['x-api-key']) }] },
    },
  };
}

function upstream(version: string, isRouted: boolean): object {
  return {
    url: 'http://127.0.0.1:1',
    // one of them sees another host than callers ask for
    ...(version === 'v2' && { hostRewrite: SEEN_HOST }),
    ...(isRouted && { service: { host: DESTINATION, port: 8080, subset: version, labels: { version } } }),
  };
}

export function digestOf(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}
