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

  /**
   * A claim of the token that Envoy has verified, as its bytes: of a string its UTF-8, of a list what `filter/credential/claim.ts` draws, of a
   * number eight. ABSENT without such a token, without the claim, and where it holds null.
   */
  abstract claim(name: View): View;
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

/** A claim of the verified token, or ABSENT. */
export function verifiedClaim(name: View): View {
  const evidence = known;
  return evidence == null ? ABSENT : evidence.claim(name);
}
