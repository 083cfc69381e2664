import { View } from "../bytes/view";

/** Which headers tell callers of their quotas, in the order of the contract's RATE_LIMIT_HEADERS. */
export const enum RateLimitHeaders {
  Standard = 0,
  XRatelimit = 1,
  Refusals = 2,
  None = 8,
}

/** A bit more where some quota warns: it is looked for only where not all quotas are told as usual, so that most pay nothing for it. */
export const WARNING: i32 = 4;

/** What an upstream may learn of a decision, in the order of the contract's IDENTITY_HEADERS. */
export const enum Fact {
  Consumer,
  Plan,
  Route,
  KeyId,
}

/** A header that tells the upstream one fact as it is, or several as a dictionary of RFC 8941. */
@unmanaged
export class IdentityHeader {
  name: View;
  /** A bit for each Fact. */
  facts: u32;
  /** True for `x-tollgate-…`, of which nothing from outside goes on anyway. */
  isOwn: bool;
}
