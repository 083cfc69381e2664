import { ABSENT, View, literal } from "../bytes/view";

/**
 * What was decided about the current request. One record, reused for every request; `reset` before each, which clears
 * two numbers at a time.
 */
@unmanaged
export class Decision {
  api: i32;
  offer: i32;
  consumer: i32;
  /** Index of the route, or NONE for the API's default. */
  routeIndex: i32;
  /** What the API lists and the request is; NONE where it lists nothing, or lets unlisted requests pass. */
  operation: i32;
  /** Index of the exceeded quota among those of the request, or NONE. */
  quota: i32;
  plan: i32;
  /** The operation, where it has quotas of its own that the request was charged to; otherwise NONE. */
  charged: i32;
  /** The lifecycle whose deprecation the answer shows, or NONE. */
  deprecated: i32;
  /**
   * Of a request that carries an `Origin` to an API with cors: the index of the origin in the tables that allows it, or FOREIGN.
   * Otherwise NONE.
   */
  origin: i32;
  /** Public id of the key that was used, even if it was refused as revoked or expired. */
  keyId: View;
  /** `<api>/<route>`, or ABSENT. */
  route: View;
  /** Of a request that a quota or maintenance refused; otherwise anything. */
  retryAfterSeconds: i64;
  /** Bytes of the normalised path that the matched prefix covers. */
  coveredBytes: u16;
  /** What can be shown of the quotas that were looked at. */
  standings: Standings;
  /** True where only observing let it pass, as nobody's, whoever's key it holds. */
  isNobodys: bool;
  /** The reason for which a request would have been refused that only observing let pass; `reason` is what became of it. Otherwise 0. */
  observed: u8;
  /** What the binding has to see to beside the decision. */
  sequel: Sequel;
  /** What is remarkable beside that: KEY_ENDS, SETTLES. */
  remarks: u8;
  reason: Reason;

  /** True when the request must wait for the rate limit service; `reason` is not final then. */
  get waits(): bool {
    return this.sequel == WAITS;
  }

  /** True when the response shows a deprecation, or what a page on another origin may read. */
  get showsMore(): bool {
    return load<i64>(changetype<usize>(this), offsetof<Decision>("deprecated")) != -1;
  }

  /** True when there is a sequel, it passed only because something observes, or there is a remark. */
  get isUnusual(): bool {
    return load<u32>(changetype<usize>(this), offsetof<Decision>("observed")) != 0;
  }

  /** True when there is a sequel or a remark. */
  get isRare(): bool {
    return load<u16>(changetype<usize>(this), offsetof<Decision>("sequel")) != 0;
  }

  reset(): void {
    const start = changetype<usize>(this);
    store<i64>(start, -1, offsetof<Decision>("api"));
    store<i64>(start, -1, offsetof<Decision>("consumer"));
    store<i64>(start, -1, offsetof<Decision>("operation"));
    store<i64>(start, -1, offsetof<Decision>("plan"));
    store<i64>(start, -1, offsetof<Decision>("deprecated"));
    this.keyId = ABSENT;
    this.route = ABSENT;
    // The standings, what was observed, the sequel and the remarks are in the same eight bytes.
    store<i64>(start, 0, offsetof<Decision>("coveredBytes"));
  }
}

// @ts-ignore: decorator
@lazy
export const decision: Decision = changetype<Decision>(memory.data(offsetof<Decision>(), 8));

/** What follows from a decision that is no part of the request's outcome. */
export type Sequel = u8;
export const NO_SEQUEL: Sequel = 0;
export const WAITS: Sequel = 1;
/** The request is counted as in flight until its stream ends, whatever becomes of it. */
export const FLIES: Sequel = 2;

/** The key will end so soon that the policy wants its holder told. */
export const KEY_ENDS: u8 = 1;
/** Some answers of the API settle what their requests have cost. */
export const SETTLES: u8 = 2;

export function holdFlight(): void {
  decision.sequel = FLIES;
}

/** What can be shown of the quotas of a decision. */
export type Standings = u8;
/** Quotas were not looked at, or there are none. */
export const NO_STANDINGS: Standings = 0;
export const SHOWN: Standings = 1;
/** All of them are only observed: nothing for callers, but for logs. */
export const LOGGED: Standings = 2;

/** Why a request was allowed or refused. The codes are part of the API: append new ones, never rename. */
export const enum Reason {
  Allowed,
  Anonymous,
  Preflight,
  Unmatched,
  NoApi,
  InvalidPath,
  MissingApiKey,
  AmbiguousApiKey,
  MalformedApiKey,
  UnknownApiKey,
  RevokedApiKey,
  InactiveApiKey,
  ExpiredApiKey,
  NotSubscribed,
  SubscriptionPaused,
  SubscriptionInactive,
  SubscriptionExpired,
  QuotaExceeded,
  QuotaUnavailable,
  NotConfigured,
  InternalError,
  TooManyWaiting,
  InvalidHost,
  PreflightAnswered,
  PreflightRefused,
  NoOperation,
  MethodNotAllowed,
  OperationNotInPlan,
  MissingScope,
  Retired,
  Maintenance,
  Redirected,
  Mocked,
  AddressNotAllowed,
  OriginNotAllowed,
  MissingCredential,
  UnknownWorkload,
  ApiNotAllowed,
  UnknownSubject,
  ConcurrencyExceeded,
  MeAnswered,
  MeExceeded,
}

export const REASON_COUNT: i32 = 42;

/**
 * One row per reason, in the order of the enum: code, HTTP status, gRPC status, title, detail, and the value of Envoy's
 * %RESPONSE_CODE_DETAILS%.
 */
const COLUMNS = 6;
const ROWS: StaticArray<u64> = [
  literal("allowed"),
  200,
  0,
  literal("Allowed"),
  literal("The key, its subscription and its quotas allow the request."),
  literal("tollgate_allowed"),
  literal("anonymous"),
  200,
  0,
  literal("Anonymous"),
  literal("The API takes requests without a key."),
  literal("tollgate_anonymous"),
  literal("preflight"),
  200,
  0,
  literal("Preflight"),
  literal("The API takes CORS preflight requests without a key."),
  literal("tollgate_preflight"),
  literal("unmatched"),
  200,
  0,
  literal("Unmatched"),
  literal("No API covers the request, and the policy lets such requests pass."),
  literal("tollgate_unmatched"),
  literal("no_api"),
  404,
  5,
  literal("No such API"),
  literal("No API is served at this host and path."),
  literal("tollgate_no_api"),
  literal("invalid_path"),
  400,
  3,
  literal("Invalid path"),
  literal("The path can be read in more than one way."),
  literal("tollgate_invalid_path"),
  literal("missing_api_key"),
  401,
  16,
  literal("API key missing"),
  literal("The request carries no API key."),
  literal("tollgate_missing_api_key"),
  literal("ambiguous_api_key"),
  401,
  16,
  literal("API key ambiguous"),
  literal("The request carries two different API keys."),
  literal("tollgate_ambiguous_api_key"),
  literal("malformed_api_key"),
  401,
  16,
  literal("API key malformed"),
  literal("The API key is too long or holds characters that no key has."),
  literal("tollgate_malformed_api_key"),
  literal("unknown_api_key"),
  401,
  16,
  literal("API key unknown"),
  literal("The API key is not known."),
  literal("tollgate_unknown_api_key"),
  literal("revoked_api_key"),
  401,
  16,
  literal("API key revoked"),
  literal("The API key has been revoked."),
  literal("tollgate_revoked_api_key"),
  literal("inactive_api_key"),
  401,
  16,
  literal("API key not active yet"),
  literal("The API key is not valid yet."),
  literal("tollgate_inactive_api_key"),
  literal("expired_api_key"),
  401,
  16,
  literal("API key expired"),
  literal("The API key has expired."),
  literal("tollgate_expired_api_key"),
  literal("not_subscribed"),
  403,
  7,
  literal("Not subscribed"),
  literal("The consumer has no subscription to this API."),
  literal("tollgate_not_subscribed"),
  literal("subscription_paused"),
  403,
  7,
  literal("Subscription paused"),
  literal("The consumer's subscription to this API is paused."),
  literal("tollgate_subscription_paused"),
  literal("subscription_inactive"),
  403,
  7,
  literal("Subscription not active yet"),
  literal("The consumer's subscription to this API has not begun."),
  literal("tollgate_subscription_inactive"),
  literal("subscription_expired"),
  403,
  7,
  literal("Subscription expired"),
  literal("The consumer's subscription to this API has ended."),
  literal("tollgate_subscription_expired"),
  literal("quota_exceeded"),
  429,
  8,
  literal("Quota exceeded"),
  literal("A quota of the plan is used up."),
  literal("tollgate_quota_exceeded"),
  literal("quota_unavailable"),
  503,
  14,
  literal("Quota unavailable"),
  literal("The quota cannot be counted at the moment."),
  literal("tollgate_quota_unavailable"),
  literal("not_configured"),
  503,
  14,
  literal("Not configured"),
  literal("No policy is in force here."),
  literal("tollgate_not_configured"),
  literal("internal_error"),
  500,
  13,
  literal("Internal error"),
  literal("The request could not be decided."),
  literal("tollgate_internal_error"),
  literal("too_many_waiting"),
  503,
  14,
  literal("Too many requests waiting"),
  literal("Too many requests wait for their quotas to be counted."),
  literal("tollgate_too_many_waiting"),
  literal("invalid_host"),
  400,
  3,
  literal("Invalid host"),
  literal("The host is not valid, or can be read in more than one way."),
  literal("tollgate_invalid_host"),
  literal("preflight_answered"),
  204,
  0,
  literal("Preflight answered"),
  literal("The API's cors allows what the CORS preflight asks for."),
  literal("tollgate_preflight_answered"),
  literal("preflight_refused"),
  204,
  7,
  literal("Preflight refused"),
  literal("The API's cors does not list the origin, the method or a header of the CORS preflight."),
  literal("tollgate_preflight_refused"),
  literal("no_operation"),
  404,
  5,
  literal("No such operation"),
  literal("The API has no operation at this path."),
  literal("tollgate_no_operation"),
  literal("method_not_allowed"),
  405,
  12,
  literal("Method not allowed"),
  literal("The API has no operation for this method at this path; allow names those that it has."),
  literal("tollgate_method_not_allowed"),
  literal("operation_not_in_plan"),
  403,
  7,
  literal("Not in the plan"),
  literal("The caller's plan does not include this operation."),
  literal("tollgate_operation_not_in_plan"),
  literal("missing_scope"),
  403,
  7,
  literal("Missing scope"),
  literal("The caller does not have a scope that this operation asks for."),
  literal("tollgate_missing_scope"),
  literal("retired"),
  410,
  12,
  literal("Retired"),
  literal("This is no longer offered."),
  literal("tollgate_retired"),
  literal("maintenance"),
  503,
  14,
  literal("Under maintenance"),
  literal("This is under maintenance."),
  literal("tollgate_maintenance"),
  literal("redirected"),
  308,
  12,
  literal("Moved"),
  literal("This has moved to another place."),
  literal("tollgate_redirected"),
  literal("mocked"),
  200,
  12,
  literal("Mocked"),
  literal("The policy answers this in the place of an upstream, without gRPC messages."),
  literal("tollgate_mocked"),
  literal("address_not_allowed"),
  403,
  7,
  literal("Address not allowed"),
  literal("The caller's address is not one from which this key may be used."),
  literal("tollgate_address_not_allowed"),
  literal("origin_not_allowed"),
  403,
  7,
  literal("Origin not allowed"),
  literal("The request comes from no page of an origin from which this key may be used."),
  literal("tollgate_origin_not_allowed"),
  literal("missing_credential"),
  401,
  16,
  literal("Credential missing"),
  literal("The request carries no credential that the API takes."),
  literal("tollgate_missing_credential"),
  literal("unknown_workload"),
  403,
  7,
  literal("Workload unknown"),
  literal("The certificate names a workload that is not known."),
  literal("tollgate_unknown_workload"),
  literal("api_not_allowed"),
  403,
  7,
  literal("API not allowed"),
  literal("This key may not be used on this API."),
  literal("tollgate_api_not_allowed"),
  literal("unknown_subject"),
  403,
  7,
  literal("Subject unknown"),
  literal("The token belongs to nobody that is known."),
  literal("tollgate_unknown_subject"),
  literal("concurrency_exceeded"),
  429,
  8,
  literal("Too many requests at once"),
  literal("As many requests are in flight as the plan allows at once."),
  literal("tollgate_concurrency_exceeded"),
  literal("me_answered"),
  200,
  12,
  literal("Answered"),
  literal("The module tells the caller what is left of its quotas, without gRPC messages."),
  literal("tollgate_me_answered"),
  literal("me_exceeded"),
  429,
  8,
  literal("Asked too often"),
  literal("The caller asks too often what is left of its quotas."),
  literal("tollgate_me_exceeded"),
];

// @ts-ignore: decorator
@inline
function cell(reason: Reason, column: i32): u64 {
  return unchecked(ROWS[<i32>reason * COLUMNS + column]);
}

/** snake_case code, as in `reason` of a reply. */
export function codeOf(reason: Reason): View {
  return cell(reason, 0);
}

/** HTTP status of the reply; 200 for reasons that allow a request. */
export function statusOf(reason: Reason): u32 {
  return <u32>cell(reason, 1);
}

/** gRPC status of the reply, by the numbers of google.rpc.Code. */
export function grpcStatusOf(reason: Reason): u32 {
  return <u32>cell(reason, 2);
}

export function titleOf(reason: Reason): View {
  return cell(reason, 3);
}

export function detailOf(reason: Reason): View {
  return cell(reason, 4);
}

/** The value of Envoy's %RESPONSE_CODE_DETAILS%. */
export function responseCodeDetailsOf(reason: Reason): View {
  return cell(reason, 5);
}

/** True when a request with this reason goes on to the upstream. */
export function isAllowed(reason: Reason): bool {
  return reason <= Reason.Unmatched;
}

/** True for the reasons that a lifecycle gives, which answers in its own words. */
export function isOfLifecycle(reason: Reason): bool {
  return reason >= Reason.Retired && reason <= Reason.Mocked;
}

/** True for what is answered in the place of an upstream, in any mode: by the policy, which refuses nothing so, and by the operation `me`. */
export function isAnswer(reason: Reason): bool {
  return ((ANSWERS >> (<u64>reason)) & 1) != 0;
}

const ANSWERS: u64 =
  (1 << (<u64>Reason.PreflightAnswered)) |
  (1 << (<u64>Reason.PreflightRefused)) |
  (1 << (<u64>Reason.Redirected)) |
  (1 << (<u64>Reason.Mocked)) |
  (1 << (<u64>Reason.MeAnswered)) |
  (1 << (<u64>Reason.MeExceeded));
