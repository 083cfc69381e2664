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
  /** Texts by name, of a ConfigMap. */
  readonly data?: Readonly<Record<string, string>>;
}

export const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'tollgate' } as const;

/** Name, namespace and labels of a resource of ours: every name begins with `tollgate-` and the policy's. */
export function metadata(policy: string, suffix: string, namespace: string): Resource['metadata'] {
  const name = ['tollgate', policy, suffix].filter((part) => part !== '').join('-');
  return {
    name,
    namespace,
    labels: { ...MANAGED_BY, 'app.kubernetes.io/name': 'tollgate', 'app.kubernetes.io/instance': policy },
  };
}
