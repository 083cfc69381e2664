import { ClusterError, Unseen } from './error.ts';
import type { Forward } from './forward.ts';
import type { Kubectl } from './kubectl.ts';
import { at, type ObjectKind, type KubeObject, shown, textAt } from './object.ts';

const PAGE = 500;
/** A cluster that has more of one kind is looked at in part, and that is said. */
const MOST_OBJECTS = 20_000;
/** kubectl starts a process for each question. */
const MOST_AT_ONCE = 8;

/**
 * A cluster as one user may see it, through kubectl and its kubeconfig. Nothing is ever written: every question is a GET. What
 * the user may not see, or what gives no answer, is `Unseen`.
 */
export class Cluster {
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  private constructor(
    private readonly ask: Kubectl,
    private readonly forward: Forward,
  ) {}

  /** Throws a ClusterError when there is no cluster to talk to, so that not every question has to fail for it. */
  static async connect(ask: Kubectl, forward: Forward): Promise<Cluster> {
    const { code, stderr, notStarted } = await ask(['get', '--raw', '/version']);
    if (notStarted !== undefined)
      throw new ClusterError(`kubectl: ${stderr}; the cluster is asked through kubectl, with its kubeconfig`);
    if (code !== 0) throw new ClusterError(`kubectl: ${lastWords(stderr) || `ended with ${String(code)}`}`);
    return new Cluster(ask, forward);
  }

  /** Null: there is no such object, or no such kind. */
  async get(kind: ObjectKind, namespace: string | null, name: string): Promise<KubeObject | null> {
    const text = await this.raw(`${pathOf(kind, namespace)}/${encodeURIComponent(name)}`, `get ${kind.plural}`);
    return text === null ? null : (parsed(text, kind.plural) as KubeObject);
  }

  /** Of all namespaces with null; none where there is no such kind. */
  async list(
    kind: ObjectKind,
    namespace: string | null,
    labels: Readonly<Record<string, string>> = {},
  ): Promise<KubeObject[]> {
    const selector = Object.entries(labels)
      .map(([label, value]) => `${label}=${value}`)
      .join(',');
    const all: KubeObject[] = [];
    for (let next: string | undefined = ''; next !== undefined;) {
      const query = new URLSearchParams({
        limit: String(PAGE),
        ...(selector !== '' && { labelSelector: selector }),
        ...(next !== '' && { continue: next }),
      });
      const text = await this.raw(`${pathOf(kind, namespace)}?${query.toString()}`, `list ${kind.plural}`);
      if (text === null) return all;
      const page = parsed(text, kind.plural);
      const items = at(page, 'items');
      // items of a list do not say what they are
      if (Array.isArray(items)) all.push(...items.map((item) => ({ ...(item as KubeObject), kind: kind.kind })));
      next = textAt(page, 'metadata', 'continue') || undefined;
      if (all.length >= MOST_OBJECTS && next !== undefined)
        throw new Unseen(`more than ${MOST_OBJECTS} ${kind.plural}; narrow the target`);
    }
    return all;
  }

  /** A page of a pod's own HTTP server, through the API server. */
  async page(namespace: string, pod: string, port: number, path: string): Promise<string> {
    const place = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}:${port}/proxy${path}`;
    const text = await this.raw(place, 'get pods/proxy');
    if (text === null) throw new Unseen(`nothing at ${path.split('?')[0]} on port ${port}`);
    return text;
  }

  /** A page of a server that only the pod itself can reach. */
  localPage(namespace: string, pod: string, port: number, path: string): Promise<string> {
    return this.inTurn(() => this.forward({ namespace, pod, port, path }));
  }

  /** Runs a job when there is room for it: kubectl is a process. */
  private async inTurn<T>(job: () => Promise<T>): Promise<T> {
    if (this.running >= MOST_AT_ONCE) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.running++;
    try {
      return await job();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.running--;
      else next();
    }
  }

  /** Null where the API server knows nothing of the path. */
  private async raw(path: string, deed: string): Promise<string | null> {
    const { code, stdout, stderr } = await this.inTurn(() => this.ask(['get', '--raw', path]));
    if (code === 0) return stdout;
    if (code === null) throw new Unseen(`${deed}: kubectl was stopped`);
    const [, reason = '', message = ''] = /Error from server(?: \((\w+)\))?: ([^]*)/.exec(stderr) ?? [];
    if (reason === 'NotFound') return null;
    if (reason === 'Forbidden') throw new Unseen(`may not ${deed}`, true);
    throw new Unseen(`${deed}: ${shown(message) || lastWords(stderr) || `kubectl ended with exit code ${code}`}`);
  }
}

function pathOf({ apiVersion, plural }: ObjectKind, namespace: string | null): string {
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${group}${namespace === null ? '' : `/namespaces/${encodeURIComponent(namespace)}`}/${plural}`;
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Unseen(`${what}: the API server's answer is not JSON`);
  }
}

function lastWords(stderr: string): string {
  return shown(stderr.trim().split('\n').at(-1) ?? '').replace(/^error: /, '');
}
