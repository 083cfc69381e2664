import { Agent, request } from 'node:https';
import { CORE_SCHEMA, loadAll } from 'js-yaml';

/** The parts of a Kubernetes object that tests look at. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; [field: string]: unknown };
  [field: string]: unknown;
}

interface ApiResource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** A refusal of the API server: a Status, whose message names the field. */
export class KubeError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The API server's REST interface over HTTPS, with a token; kubectl is not needed. */
export class KubeClient {
  private readonly agent: Agent;
  private readonly resources = new Map<string, ApiResource[]>();

  constructor(
    private readonly port: number,
    private readonly token: string,
    certificate: string,
  ) {
    this.agent = new Agent({ keepAlive: true, ca: certificate });
  }

  /** Server-side apply of every document of a YAML text, or of objects; unknown fields are refused. */
  async apply(resources: string | readonly KubeObject[], options: { dryRun?: boolean } = {}): Promise<KubeObject[]> {
    const applied: KubeObject[] = [];
    for (const object of documents(resources)) {
      const query = `fieldManager=tollgate-test&force=true&fieldValidation=Strict${options.dryRun ? '&dryRun=All' : ''}`;
      const reply = await this.call(
        'PATCH',
        `${await this.path(object)}?${query}`,
        JSON.stringify(object),
        'application/apply-patch+yaml',
      );
      applied.push(JSON.parse(reply) as KubeObject);
    }
    return applied;
  }

  /** Sets what a controller or a kubelet would report of an object. */
  async report(object: KubeObject, status: object): Promise<void> {
    const { apiVersion, kind, metadata } = object;
    const { name, namespace } = metadata;
    await this.call(
      'PATCH',
      `${await this.path(object)}/status?fieldManager=tollgate-test-status&force=true`,
      JSON.stringify({ apiVersion, kind, metadata: { name, ...(namespace && { namespace }) }, status }),
      'application/apply-patch+yaml',
    );
  }

  /** Deletes every named object; a missing one counts as deleted. */
  async delete(resources: string | readonly KubeObject[]): Promise<void> {
    for (const object of documents(resources)) {
      try {
        await this.call('DELETE', `${await this.path(object)}?gracePeriodSeconds=0`);
      } catch (error) {
        if (!(error instanceof KubeError) || error.status !== 404) throw error;
      }
    }
  }

  async get(object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): Promise<KubeObject> {
    return JSON.parse(await this.call('GET', await this.path(object))) as KubeObject;
  }

  /** A token of a service account, as a kubelet asks for one to mount it into a pod. */
  async accountToken(namespace: string, account: string, audience: string): Promise<string> {
    const reply = await this.call(
      'POST',
      `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
      JSON.stringify({
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: [audience], expirationSeconds: 3600 },
      }),
      'application/json',
    );
    return (JSON.parse(reply) as { status: { token: string } }).status.token;
  }

  /** A plain path, such as `/readyz`. */
  raw(path: string): Promise<string> {
    return this.call('GET', path);
  }

  close(): void {
    this.agent.destroy();
  }

  private async path({
    apiVersion,
    kind,
    metadata,
  }: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): Promise<string> {
    const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const resource = await this.resource(group, kind);
    const namespace = resource.namespaced ? `/namespaces/${metadata.namespace ?? 'default'}` : '';
    return `${group}${namespace}/${resource.name}/${metadata.name}`;
  }

  /** Fetches a group's resources again when a kind is unknown: a CRD may have been added since. */
  private async resource(group: string, kind: string): Promise<ApiResource> {
    const known = this.resources.get(group)?.find((one) => one.kind === kind);
    if (known) return known;
    const { resources } = JSON.parse(await this.call('GET', group)) as { resources: ApiResource[] };
    const own = resources.filter(({ name }) => !name.includes('/'));
    this.resources.set(group, own);
    const found = own.find((one) => one.kind === kind);
    if (!found) throw new Error(`${group} has no kind ${kind}`);
    return found;
  }

  private call(method: string, path: string, body?: string, type?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${this.token}`, ...(type !== undefined && { 'content-type': type }) };
      const sent = request(
        { agent: this.agent, host: '127.0.0.1', port: this.port, method, path, headers, timeout: 30_000 },
        (response) => {
          let text = '';
          response
            .setEncoding('utf8')
            .on('data', (part: string) => (text += part))
            .on('error', reject)
            .on('end', () => {
              const status = response.statusCode ?? 0;
              if (status >= 200 && status < 300) resolve(text);
              else reject(new KubeError(status, messageOf(text)));
            });
        },
      );
      sent.on('error', reject).on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer`)));
      sent.end(body);
    });
  }
}

function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    return text;
  }
}

export function documents(resources: string | readonly KubeObject[]): KubeObject[] {
  if (typeof resources !== 'string') return [...resources];
  return (loadAll(resources, { schema: CORE_SCHEMA }) as (KubeObject | null | undefined)[]).filter(
    (one): one is KubeObject => one !== null && one !== undefined,
  );
}
