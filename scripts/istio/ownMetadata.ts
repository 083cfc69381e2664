import { EmitError } from './error.ts';
import { MAX_ANNOTATION_BYTES, type Resource } from './resource.ts';

/** What a user wants on every emitted object beside what Tollgate puts there. */
export interface OwnMetadata {
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Argo CD's wave of what comes first; see `waveOf`. Default: only plugins have a wave, 1. */
  readonly firstWave?: number | undefined;
}

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const DOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const NAME_RULE = 'must be a Kubernetes name such as team or example.com/team';
const VALUE_RULE =
  'must be a label\'s value: up to 63 letters, digits, "-", "_" and ".", with a letter or digit at its ends';

/** Tollgate's own labels: "kubectl delete -l" and "tollgate emit" itself find its objects by them. */
const OWN_LABELS = ['managed-by', 'name', 'instance'].map((name) => `app.kubernetes.io/${name}`);
/** Labels of Kubernetes' own domain that it recommends to everybody. */
const COMMON_LABELS = ['component', 'part-of', 'version'].map((name) => `app.kubernetes.io/${name}`);
const SYNC_WAVE = 'argocd.argoproj.io/sync-wave';

/** Refuses what the API server would, and what belongs to Tollgate, Kubernetes or a tool that keeps its books there. */
export function checkOwnMetadata({ labels = {}, annotations = {} }: OwnMetadata): void {
  for (const [name, value] of Object.entries(labels)) {
    checkName('label', name);
    if (value !== '' && !NAME.test(value)) throw new EmitError(`label ${name}: ${VALUE_RULE}; found "${value}"`);
  }
  for (const name of Object.keys(annotations)) checkName('annotation', name);
  const bytes = Object.entries(annotations).reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0);
  if (bytes > MAX_ANNOTATION_BYTES / 2)
    throw new EmitError(`annotations: must have at most ${MAX_ANNOTATION_BYTES / 2} bytes together; found ${bytes}`);
}

function checkName(kind: 'label' | 'annotation', name: string): void {
  const [last = '', domain, ...more] = name.split('/').reverse();
  if (more.length > 0 || !NAME.test(last) || (domain !== undefined && !DOMAIN.test(domain)))
    throw new EmitError(`${kind} ${JSON.stringify(name)}: ${NAME_RULE}`);
  const why = reserved(name, domain ?? '');
  if (why !== null) throw new EmitError(`${kind} ${name}: is ${why}`);
}

function reserved(name: string, domain: string): string | null {
  if (OWN_LABELS.includes(name)) return "Tollgate's own";
  if (name === SYNC_WAVE) return 'set by --sync-waves, because tables must come before plugins';
  if (domain === 'argocd.argoproj.io' && /\/(?:tracking-id|installation-id)$/.test(name)) return "Argo CD's own";
  if (/(?:^|\.)toolkit\.fluxcd\.io$/.test(domain) && !/\/(?:reconcile|prune|ssa|force|substitute)$/.test(name))
    return "Flux's own";
  if (/(?:^|\.)(?:kubernetes|k8s)\.io$/.test(domain) && !COMMON_LABELS.includes(name)) return "Kubernetes' own";
  return null;
}

/** Steps of a rollout, in their order: what tables and plugins need, tables, plugins. */
export type RolloutStep = 1 | 2 | 3;

/**
 * The annotation with which Argo CD keeps the order of the steps. It waits for a wave before it begins the next, and prunes in
 * the reverse order: a plugin goes before the table, and the table before its subsets.
 */
function waveOf(step: RolloutStep, first: number | undefined): Readonly<Record<string, string>> {
  if (first !== undefined) return { [SYNC_WAVE]: String(first + step - 1) };
  return step === 3 ? { [SYNC_WAVE]: '1' } : {};
}

/** The resource with what the user wants on it; what an earlier emit had put there is gone. */
export function withOwnMetadata<R extends Resource>(resource: R, step: RolloutStep, own: OwnMetadata): R {
  const { name, namespace, labels } = resource.metadata;
  const ours = Object.fromEntries(Object.entries(labels).filter(([label]) => OWN_LABELS.includes(label)));
  const annotations = { ...waveOf(step, own.firstWave), ...own.annotations };
  return {
    ...resource,
    metadata: {
      name,
      namespace,
      labels: { ...ours, ...own.labels },
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
  };
}
