import { ClusterError, Unseen } from './error.ts';
import type { Forward } from './forward.ts';
import type { Kubectl } from './kubectl.ts';
import { at, objectIn, type ObjectKind, type KubeObject, shown, textAt } from './object.ts';

const PAGE = 500;
/** A cluster that has more of one kind is looked at in part, and that is said. */
const MOST_OBJECTS = 20_000;
/** A server may give fewer objects on a page than it is asked for. */
const MOST_PAGES = 60;
/** Nothing in a Kubernetes object, or in a plugin config, is as deep. */
const DEEPEST = 200;
/** Questions in a row that got no answer, until the cluster counts as gone: each may have taken all of its time. */
const MOST_SILENT = 5;
/** kubectl starts a process for each question. */
const MOST_AT_ONCE = 8;

/**
 * A cluster as one user may see it, through kubectl and its kubeconfig. Nothing is ever written: every question is a GET. What
 * the user may not see, or what gives no answer, is `Unseen`.
 */
export class Cluster {
  private readonly waiting: (() => void)[] = [];
  private running = 0;
  private silent = 0;

  private constructor(
    private readonly ask: Kubectl,
    private readonly forward: Forward,
  ) {}

  /** Throws a ClusterError when there is no cluster to talk to, so that not every question has to fail for it. */
  static async connect(ask: Kubectl, forward: Forward): Promise<Cluster> {
    const { code, stderr, notStarted } = await ask(['get', '--raw', '/version']);
    if (notStarted !== undefined)
      throw new ClusterError(`kubectl: ${stderr}; the cluster is asked through kubectl, with its kubeconfig`);
    if (code !== 0) throw new ClusterError(`kubectl: ${wordsOf(stderr, code)}${isNoConfig(stderr) ? NO_CONFIG : ''}`);
    return new Cluster(ask, forward);
  }

  /** Null: there is no such object, or no such kind. */
  async get(kind: ObjectKind, namespace: string | null, name: string): Promise<KubeObject | null> {
    const text = await this.raw(`${pathOf(kind, namespace)}/${encodeURIComponent(name)}`, `get ${kind.plural}`);
    return text === null ? null : objectOf(parsed(text, kind.plural), kind);
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
    let pages = 0;
    for (let next: string | undefined = ''; next !== undefined;) {
      const query = new URLSearchParams({
        limit: String(PAGE),
        ...(selector !== '' && { labelSelector: selector }),
        ...(next !== '' && { continue: next }),
      });
      const text = await this.raw(`${pathOf(kind, namespace)}?${query.toString()}`, `list ${kind.plural}`);
      if (text === null && next === '') return all;
      const page = text === null ? null : parsed(text, kind.plural);
      const items = at(page, 'items');
      if (!Array.isArray(items) && items !== null)
        throw new Unseen(`${kind.plural}: the API server's answer is no list`);
      for (const item of items ?? []) all.push(objectOf(item, kind));
      next = textAt(page, 'metadata', 'continue') || undefined;
      if (all.length >= MOST_OBJECTS && next !== undefined)
        throw new Unseen(`more than ${MOST_OBJECTS} ${kind.plural}; narrow the target`);
      if (++pages >= MOST_PAGES && next !== undefined)
        throw new Unseen(`${kind.plural}: the API server's list does not end`);
    }
    return all;
  }

  /** A page of a pod's own HTTP server, through the API server. */
  async page(namespace: string, pod: string, port: number, path: string): Promise<string> {
    const place = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}:${port}/proxy${path}`;
    const text = await this.raw(place, 'get pods/proxy', false);
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

  /** Null where the API server knows nothing of the path. `isItsOwn`: it answers itself, and does not ask a pod. */
  private async raw(path: string, deed: string, isItsOwn = true): Promise<string | null> {
    const { code, stdout, stderr } = await this.inTurn(() => this.ask(['get', '--raw', path]));
    if (code !== 0 && stderr.includes('must be logged in')) throw new ClusterError(`kubectl: ${wordsOf(stderr, code)}`);
    if (isItsOwn) {
      this.silent = code === 0 || /^Error from server/m.test(stderr) ? 0 : this.silent + 1;
      if (this.silent >= MOST_SILENT)
        throw new ClusterError(`kubectl: ${this.silent} questions without an answer: ${wordsOf(stderr, code)}`);
    }
    if (code === 0) return stdout;
    const [, reason = '', message = ''] = /Error from server(?: \((\w+)\))?: ([^]*)/.exec(stderr) ?? [];
    if (reason === 'NotFound') return null;
    if (reason === 'Forbidden') throw new Unseen(`may not ${deed}`, true);
    throw new Unseen(`${deed}: ${shown(message) || wordsOf(stderr, code)}`);
  }
}

function pathOf({ apiVersion, plural }: ObjectKind, namespace: string | null): string {
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${group}${namespace === null ? '' : `/namespaces/${encodeURIComponent(namespace)}`}/${plural}`;
}

function parsed(text: string, what: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Unseen(`${what}: the API server's answer is not JSON`);
  }
  if (isDeeper(value, DEEPEST)) throw new Unseen(`${what}: the API server's answer is nested too deeply`);
  return value;
}

/** Without recursion, which is what it is to protect. */
function isDeeper(value: unknown, most: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > most) return true;
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? (Object.values(one) as unknown[]) : []));
  }
  return false;
}

/** Items of a list do not say what they are. */
function objectOf(value: unknown, { kind, plural }: ObjectKind): KubeObject {
  const object = objectIn(value, kind);
  if (object === null) throw new Unseen(`${plural}: the API server's answer is no ${kind}`);
  return object;
}

function wordsOf(stderr: string, code: number | null): string {
  const last = shown(stderr.trim().split('\n').at(-1) ?? '').replace(/^error: /, '');
  return last || `ended with exit code ${String(code)}`;
}

/** Where kubectl goes when it has no kubeconfig. */
function isNoConfig(stderr: string): boolean {
  return stderr.includes('localhost:8080 was refused');
}
const NO_CONFIG = '; no kubeconfig was found: set KUBECONFIG, or a current context';
