import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Kubectl } from '../cluster/kubectl.ts';
import { differences, type Drift } from './drift.ts';
import { DiffError } from './error.ts';
import { KUSTOMIZATION } from '../istio/kustomization.ts';

interface KubeObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: object;
    readonly annotations?: object;
  };
}

/** Labels and annotations with which kubectl, Argo CD and Flux know their objects again. */
const BOOKKEEPING =
  /^(?:kubectl\.kubernetes\.io\/last-applied-configuration|argocd\.argoproj\.io\/(?:tracking-id|installation-id)|(?:kustomize|helm)\.toolkit\.fluxcd\.io\/(?:name|namespace))$/;

/**
 * What the objects in a cluster say beyond or against the files of a folder. Server-side apply keeps fields that somebody else
 * has set, and "kubectl diff" takes them as wanted; so the cluster is asked what it would hold if each file replaced the whole
 * object. Nothing is changed: the API server is asked to go through the motions.
 */
export async function liveDrift(folder: string, ask: Kubectl): Promise<Drift[]> {
  // a folder with a kustomization holds a file that no API server knows
  const files = existsSync(join(folder, KUSTOMIZATION)) ? `--kustomize=${folder}` : `--filename=${folder}`;
  const wanted = await objects(ask, ['create', '--dry-run=client', files]);
  const there = await objects(ask, ['get', '--ignore-not-found', files]);
  const missing = wanted.filter((one) => !there.some((other) => nameOf(other) === nameOf(one)));
  // one that is missing cannot be replaced, and kubectl goes on with the others
  const replaced = await objects(ask, ['replace', '--dry-run=server', files], missing.length > 0);
  const changed = there.flatMap((live) => {
    const next = replaced.find((one) => nameOf(one) === nameOf(live));
    if (next === undefined) throw new DiffError(`kubectl replace: said nothing of ${nameOf(live)}`);
    return differences(content(next), content(live)).map((one) => ({ object: nameOf(live), ...one }));
  });
  return [
    ...missing.map((one): Drift => ({ object: nameOf(one), path: '', wanted: 'the object', live: undefined })),
    ...changed,
  ];
}

async function objects(ask: Kubectl, args: readonly string[], isPartial = false): Promise<KubeObject[]> {
  const { code, stdout, stderr } = await ask([...args, '--output=json']);
  if (code === null) throw new DiffError('kubectl is not on PATH; diff --live asks the cluster through it');
  if (code !== 0 && !isPartial)
    throw new DiffError(`kubectl ${args[0]}: ${stderr.trim().split('\n').at(-1) || `exit code ${code}`}`);
  return jsonIn(stdout);
}

/** kubectl prints one object, a List, or one object after the other. */
function jsonIn(text: string): KubeObject[] {
  const parts = text
    .split(/(?<=^\})$/m)
    .filter((part) => part.trim() !== '')
    .map((part) => JSON.parse(part) as KubeObject & { items?: KubeObject[] });
  return parts.flatMap((part) => part.items ?? [part]);
}

function nameOf({ kind, metadata: { name, namespace } }: KubeObject): string {
  return `${kind} ${namespace ?? 'default'}/${name}`;
}

/** Everything but what the API server, controllers and tools that roll out write for themselves. */
function content(object: KubeObject): unknown {
  const { labels = {}, annotations = {} } = object.metadata;
  return { ...without(object, ['status']), metadata: { labels: meant(labels), annotations: meant(annotations) } };
}

function meant(marks: object): object {
  return Object.fromEntries(Object.entries(marks).filter(([name]) => !BOOKKEEPING.test(name)));
}

function without(value: object, fields: readonly string[]): object {
  return Object.fromEntries(Object.entries(value).filter(([field]) => !fields.includes(field)));
}
