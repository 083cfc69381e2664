/** The file's name, which kustomize, kubectl and Argo CD look for. */
export const KUSTOMIZATION = 'kustomization.yaml';

const HEADER =
  '# Made by "tollgate emit": everything that it has emitted into this folder, in the order in which it is to be applied.';

/** Lists emitted files. Their names begin with the step that they belong to, so their order is that of the rollout. */
export function kustomizationOf(names: readonly string[]): string {
  return `${HEADER}
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
# kustomize's own order, by kind and API group, puts plugins before the tables that they need
sortOptions:
  order: fifo
resources:${names.length === 0 ? ' []' : ''}
${names.map((name) => `  - ${JSON.stringify(name)}\n`).join('')}`;
}

/** Whether the text is such a list, and not somebody's own kustomization. */
export function isKustomization(text: string | undefined): boolean {
  return text?.startsWith(`${HEADER}\n`) ?? false;
}
