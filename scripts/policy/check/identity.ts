import type { Place, PolicyDraft, Report } from './draft.ts';

/** Every workload must belong to one consumer. */
export function checkIdentities(root: PolicyDraft, report: Report): void {
  const owners = new Map<string, Place>();
  for (const consumer of root.get('consumers').entries) {
    for (const workload of consumer.get('workloads').items) {
      if (workload.string === undefined) continue;
      const other = owners.get(workload.string);
      if (other !== undefined) report.twice(workload, 'must be a workload of one consumer, and given once', other);
      else owners.set(workload.string, workload);
    }
  }
}

/** Workloads that no API asks for, APIs that ask for what nobody has, and a proof that is not there on Istio. */
export function warnOfIdentities(root: PolicyDraft, report: Report): void {
  const apis = root.get('apis').entries.filter((api) => api.get('credentials').strings.includes('workload'));
  const holders = root.get('consumers').entries.filter((consumer) => consumer.get('workloads').items.length > 0);
  const proof = root.get('workloadProof');
  if (apis.length === 0) {
    for (const holder of holders)
      report.add(holder.get('workloads'), 'counts on no API; name "workload" among the credentials of one', null);
    if (proof.given) report.add(proof, 'is for nothing: no API has "workload" among its credentials');
    return;
  }
  if (holders.length === 0)
    for (const api of apis) report.add(api.get('credentials'), 'names "workload", and no consumer has workloads', null);
  if (root.get('targets').items.length > 0 && proof.string !== 'listener')
    report.add(
      proof.given ? proof : root,
      'lets no workload in on Istio, which has no RBAC filter that proves what was verified; its listeners verify every certificate: "workloadProof: listener"',
      null,
    );
}
