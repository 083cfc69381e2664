import { isIP } from 'node:net';
import { parseKeySetUrl } from '../schema/token.ts';
import { Names, type ApiDraft, type Place, type PolicyDraft, type Report } from './draft.ts';

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

/** Issuers must be told apart by what their tokens say, and every owner of tokens must be one consumer. */
export function checkTokens(root: PolicyDraft, report: Report): void {
  const issuers = root.get('tokens').entries;
  const names = new Names(issuers.map(({ key }) => key));
  const known = new Map<string, Place>();
  for (const entry of issuers) {
    const issuer = entry.get('issuer');
    if (issuer.string === undefined) continue;
    const other = known.get(issuer.string);
    if (other !== undefined) report.twice(issuer, 'must be the only entry for this issuer', other);
    else known.set(issuer.string, issuer);
  }
  const owners = new Map<string, Place>();
  for (const consumer of root.get('consumers').entries) {
    for (const subjects of consumer.get('tokens').entries) {
      if (!names.has(subjects.key))
        report.add(subjects, `must be an issuer among the policy's tokens${names.hint}`, subjects.key);
      for (const subject of subjects.items) {
        if (subject.string === undefined) continue;
        const owner = `${subjects.key} ${subject.string}`;
        const other = owners.get(owner);
        if (other !== undefined) report.twice(subject, 'must be a subject of one consumer, and given once', other);
        else owners.set(owner, subject);
      }
    }
  }
  if (issuers.length > 0) return;
  for (const api of takers(root))
    report.add(
      api.get('credentials'),
      'must not hold "token" in a policy without "tokens", which name who issues them',
      null,
    );
}

/** Tokens that no API asks for, APIs whose tokens nobody owns, and what would keep valid ones out or let others make them. */
export function warnOfTokens(root: PolicyDraft, report: Report): void {
  const issuers = root.get('tokens').entries;
  const apis = takers(root);
  if (issuers.length > 0 && apis.length === 0)
    report.add(root.get('tokens'), 'count on no API; name "token" among the credentials of one', null);
  const owned = new Set(
    root.get('consumers').entries.flatMap((consumer) =>
      consumer
        .get('tokens')
        .entries.filter(({ items }) => items.length > 0)
        .map(({ key }) => key),
    ),
  );
  for (const issuer of issuers) {
    if (apis.length > 0 && !owned.has(issuer.key))
      report.add(issuer, 'is an issuer of whose tokens no consumer is the owner', null);
    const jwks = issuer.get('jwks');
    const url = jwks.string === undefined ? null : parseKeySetUrl(jwks.string);
    if (url?.protocol === 'http' && !isLoopback(url.host))
      report.add(jwks, 'is fetched without TLS: whoever can answer in its place can make tokens');
  }
  if (apis.length === 0) return;
  for (const target of root.get('targets').items) {
    if (target.get('workload').get('mode').string === 'CLIENT')
      report.add(
        target,
        'takes no tokens: Istio verifies none that a workload sends, so they count as if there were none',
        null,
      );
  }
  if (root.get('targets').items.length === 0) return;
  const lists = apis
    .filter((api) => api.get('credentials').strings.includes('key'))
    .map((api) => (api.get('keySources').given ? api : root).get('keySources'));
  for (const source of [...new Map(lists.map((list) => [list.path.join(), list])).values()].flatMap(
    ({ items }) => items,
  )) {
    if (source.get('authorization').string === 'Bearer')
      report.add(
        source,
        'is where tokens are too: Istio answers 401 to a key there, because it is no token; give keys a header of their own',
        null,
      );
  }
}

function takers(root: PolicyDraft): ApiDraft[] {
  return root.get('apis').entries.filter((api) => api.get('credentials').strings.includes('token'));
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
