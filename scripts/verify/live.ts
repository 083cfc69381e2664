import type { Cluster } from '../cluster/cluster.ts';
import { Unseen } from '../cluster/error.ts';
import { KINDS, nameOf, type ObjectKind, type KubeObject } from '../cluster/object.ts';

export const PLUGINS: readonly ObjectKind[] = [KINDS.wasmPlugin, KINDS.trafficExtension];
/** What `tollgate emit` may have made, and is listed. */
const LISTED: readonly ObjectKind[] = [
  ...PLUGINS,
  KINDS.virtualService,
  KINDS.httpRoute,
  KINDS.destinationRule,
  KINDS.envoyFilter,
  // one that its policy no longer has goes on refusing requests
  KINDS.requestAuthentication,
];

/** The rest is asked for by name: nobody needs the right to list all ConfigMaps of a cluster. */
const NAMED: readonly ObjectKind[] = [KINDS.configMap];

const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'tollgate' } as const;
const INSTANCE = 'app.kubernetes.io/instance';

/** The emitted objects of a cluster. */
export class Live {
  private constructor(
    private readonly cluster: Cluster,
    private readonly objects: ReadonlyMap<string, KubeObject>,
    /** Kinds that could not be listed, and why. */
    readonly unseen: readonly string[],
  ) {}

  /** Of all policies; of all namespaces, or of those that are named where the user may not see more. */
  static async read(
    cluster: Cluster,
    namespaces: readonly string[],
    kinds: readonly ObjectKind[] = LISTED,
  ): Promise<Live> {
    const unseen: string[] = [];
    const lists = await Promise.all(
      kinds.map(async (kind) => {
        try {
          return await listed(cluster, kind, namespaces);
        } catch (error) {
          if (!(error instanceof Unseen)) throw error;
          unseen.push(error.message);
          return [];
        }
      }),
    );
    return new Live(cluster, new Map(lists.flat().map((object) => [nameOf(object), object])), unseen);
  }

  /** The objects of a policy, by its label. */
  of(policy: string): KubeObject[] {
    return this.all.filter(({ metadata }) => metadata.labels?.[INSTANCE] === policy);
  }

  get all(): KubeObject[] {
    return [...this.objects.values()];
  }

  /** One object, whatever its labels have become: Argo CD writes the name of its application into one of them. */
  async find(kind: string, namespace: string, name: string): Promise<KubeObject | null> {
    const known = this.objects.get(nameOf({ kind, metadata: { namespace, name } }));
    if (known !== undefined) return known;
    const type = [...LISTED, ...NAMED].find((one) => one.kind === kind);
    if (type === undefined) return null;
    const found = await this.cluster.get(type, namespace, name);
    return found === null ? null : { ...found, kind };
  }
}

async function listed(cluster: Cluster, kind: ObjectKind, namespaces: readonly string[]): Promise<KubeObject[]> {
  try {
    return await cluster.list(kind, null, MANAGED_BY);
  } catch (error) {
    if (!(error instanceof Unseen) || !error.isForbidden || namespaces.length === 0) throw error;
    return (await Promise.all(namespaces.map((namespace) => cluster.list(kind, namespace, MANAGED_BY)))).flat();
  }
}
