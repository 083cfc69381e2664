import { View, literal } from "../bytes/view";

/** Why a request was let through or refused. The codes are API: add at the end, never rename. */
export const enum Reason {
  Allowed, Anonymous, Preflight, Unmatched,
  NoApi, InvalidPath,
  MissingApiKey, AmbiguousApiKey, MalformedApiKey, UnknownApiKey, RevokedApiKey, InactiveApiKey, ExpiredApiKey,
  NotSubscribed, SubscriptionPaused, SubscriptionInactive, SubscriptionExpired,
  QuotaExceeded, QuotaUnavailable, NotConfigured, InternalError,
}

export const REASON_COUNT: i32 = 21;

/** Everything that a reason stands for: one row each, in the order of the enum. */
class ReasonRow {
  readonly code: View;
  readonly title: View;
  readonly detail: View;
  readonly responseCodeDetails: View;
  constructor(code: string, readonly status: u32, readonly grpcStatus: u32, title: string, detail: string) {
    this.code = literal(code);
    this.title = literal(title);
    this.detail = literal(detail);
    this.responseCodeDetails = literal("tollgate_" + code);
  }
}

const ROWS: StaticArray<ReasonRow> = [
  new ReasonRow("allowed", 200, 0, "Allowed", "The key, its subscription and its quotas allow the request."),
  new ReasonRow("anonymous", 200, 0, "Anonymous", "The API takes requests without a key."),
  new ReasonRow("preflight", 200, 0, "Preflight", "The API takes CORS preflight requests without a key."),
  new ReasonRow("unmatched", 200, 0, "Unmatched", "No API covers the request, and the policy lets such requests pass."),
  new ReasonRow("no_api", 404, 5, "No such API", "No API is served at this host and path."),
  new ReasonRow("invalid_path", 400, 3, "Invalid path", "The path can be read in more than one way."),
  new ReasonRow("missing_api_key", 401, 16, "API key missing", "The request carries no API key."),
  new ReasonRow("ambiguous_api_key", 401, 16, "API key ambiguous", "The request carries two different API keys."),
  new ReasonRow("malformed_api_key", 401, 16, "API key malformed", "The API key is too long or holds characters that no key has."),
  new ReasonRow("unknown_api_key", 401, 16, "API key unknown", "The API key is not known."),
  new ReasonRow("revoked_api_key", 401, 16, "API key revoked", "The API key has been revoked."),
  new ReasonRow("inactive_api_key", 401, 16, "API key not active yet", "The API key is not valid yet."),
  new ReasonRow("expired_api_key", 401, 16, "API key expired", "The API key has expired."),
  new ReasonRow("not_subscribed", 403, 7, "Not subscribed", "The consumer has no subscription to this API."),
  new ReasonRow("subscription_paused", 403, 7, "Subscription paused", "The consumer's subscription to this API is paused."),
  new ReasonRow("subscription_inactive", 403, 7, "Subscription not active yet", "The consumer's subscription to this API has not begun."),
  new ReasonRow("subscription_expired", 403, 7, "Subscription expired", "The consumer's subscription to this API has ended."),
  new ReasonRow("quota_exceeded", 429, 8, "Quota exceeded", "A quota of the plan is used up."),
  new ReasonRow("quota_unavailable", 503, 14, "Quota unavailable", "The quota cannot be counted at the moment."),
  new ReasonRow("not_configured", 503, 14, "Not configured", "No policy is in force here."),
  new ReasonRow("internal_error", 500, 13, "Internal error", "The request could not be decided."),
];

// @ts-ignore: decorator
@inline
function row(reason: Reason): ReasonRow {
  return unchecked(ROWS[<i32>reason]);
}

/** snake_case code, as in `reason` of a reply. */
export function codeOf(reason: Reason): View {
  return row(reason).code;
}

/** HTTP status of the reply; 200 for the reasons that let a request through. */
export function statusOf(reason: Reason): u32 {
  return row(reason).status;
}

/** gRPC status of the reply, by the numbers of google.rpc.Code. */
export function grpcStatusOf(reason: Reason): u32 {
  return row(reason).grpcStatus;
}

export function titleOf(reason: Reason): View {
  return row(reason).title;
}

export function detailOf(reason: Reason): View {
  return row(reason).detail;
}

/** What Envoy's %RESPONSE_CODE_DETAILS% shows. */
export function responseCodeDetailsOf(reason: Reason): View {
  return row(reason).responseCodeDetails;
}

/** True when a request with this reason goes on to the upstream. */
export function isAllowed(reason: Reason): bool {
  return reason <= Reason.Unmatched;
}
