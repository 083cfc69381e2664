import { z } from 'zod';
import { CREDENTIALS, MAX_WORKLOAD_BYTES, WORKLOAD_PROOFS } from '../../contract/table.ts';

export const SPIFFE_ID = new RegExp(
  `^(?=.{1,${MAX_WORKLOAD_BYTES}}$)spiffe://[a-z0-9._-]+(?:/(?!\\.{1,2}(?:/|$))[A-Za-z0-9._-]+)+$`,
);
export const SPIFFE_RULE = `must be a SPIFFE id of at most ${MAX_WORKLOAD_BYTES} bytes: spiffe://, a trust domain and a path, such as spiffe://cluster.local/ns/shop/sa/cart`;
const CREDENTIALS_RULE = `must be a list of some of ${CREDENTIALS.join(', ')}, in the order in which they count`;

/** How callers of an API may say who they are; left out: by a key. */
export const credentials = z
  .array(z.enum(CREDENTIALS), { error: CREDENTIALS_RULE })
  .min(1, { error: CREDENTIALS_RULE })
  .refine((list) => new Set(list).size === list.length, { error: 'must name each credential once' })
  .meta({
    description:
      'How callers say who they are; the first that a request has counts. key: an API key. workload: the certificate of the peer (mutual TLS). token: a JWT that Envoy has verified. Default: [key].',
    uniqueItems: true,
  });

/** What says that a peer's certificate was verified. */
export const workloadProof = z.enum(WORKLOAD_PROOFS).meta({
  description:
    'What says that the certificate of a workload was verified. rbac: an RBAC filter of Envoy in front of the module. listener: every listener that asks for a certificate verifies it, as those of Istio do. Default: rbac.',
});

/** The workloads that a consumer is. */
export const workload = z.string().regex(SPIFFE_ID, { error: SPIFFE_RULE }).meta({
  description: 'The SPIFFE id in the certificate of a workload.',
});
