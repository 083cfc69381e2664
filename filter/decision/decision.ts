import { NONE } from "../bytes/rows";
import { ABSENT, View } from "../bytes/view";
import { Reason } from "./reason";

/** What was decided about the request at hand. One record, reused for every request; `reset` before each. */
export class Decision {
  reason: Reason = Reason.NotConfigured;
  api: i32 = NONE;
  offer: i32 = NONE;
  consumer: i32 = NONE;
  /** Public id of the key that was used, even if it was refused as revoked or expired. */
  keyId: View = ABSENT;
  plan: i32 = NONE;
  /** `<api>/<route>`, or ABSENT. */
  route: View = ABSENT;
  /** Number of the route record, or NONE for the API's default. */
  routeIndex: i32 = NONE;
  /** Bytes of the normalised path that the matched prefix covers. */
  coveredBytes: i32 = 0;
  /** Number of the exceeded quota within the plan, or NONE. */
  quota: i32 = NONE;
  retryAfterSeconds: i64 = 0;
  /** True when quotas were looked at, so that their standings can be shown. */
  hasStandings: bool = false;
  /** True when the request must wait for the rate limit service; there is no reason yet. */
  waits: bool = false;

  reset(): void {
    this.reason = Reason.NotConfigured;
    this.api = NONE;
    this.offer = NONE;
    this.consumer = NONE;
    this.keyId = ABSENT;
    this.plan = NONE;
    this.route = ABSENT;
    this.routeIndex = NONE;
    this.coveredBytes = 0;
    this.quota = NONE;
    this.retryAfterSeconds = 0;
    this.hasStandings = false;
    this.waits = false;
  }
}

export const decision: Decision = new Decision();
