import { ABSENT, View } from "../bytes/view";

/** Where the quotas of the mesh are counted: a service that speaks Envoy's rate limit protocol. */
export class RateLimitServiceSettings {
  /** Envoy's cluster of the service, or ABSENT without a rate limit service. */
  cluster: View = ABSENT;
  domain: View = ABSENT;
  /** How long a request may wait for the service. */
  timeoutMilliseconds: i32 = 0;
}
