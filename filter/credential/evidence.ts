import { ABSENT, View } from "../bytes/view";

/**
 * What the host itself knows of a caller, apart from headers, which anybody can send. The binding implements it over the host's
 * properties, tests over values. Asked only for APIs that take such a credential.
 */
export abstract class Evidence {
  /** The first URI among the names in the certificate of the connection's peer, verified or not; ABSENT without one. */
  abstract workload(): View;

  /** True when Envoy's RBAC filter has found that the peer's certificate was verified. */
  abstract isVerified(): bool;
}

let known: Evidence | null = null;

/** To be called once, before the first decision. */
export function useEvidence(evidence: Evidence): void {
  known = evidence;
}

/** The id in the peer's certificate, if that was verified; ABSENT for one that nobody has verified, as if there were none. */
export function verifiedWorkload(isProofNeeded: bool): View {
  const evidence = known;
  if (evidence == null) return ABSENT;
  const id = evidence.workload();
  return id == ABSENT || (isProofNeeded && !evidence.isVerified()) ? ABSENT : id;
}
