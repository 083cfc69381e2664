/** The statuses that a caller sees, written independently of the module so that a mistake in one shows. */
export const REASONS = {
  allowed: { status: 200, grpcStatus: 0 },
  anonymous: { status: 200, grpcStatus: 0 },
  preflight: { status: 200, grpcStatus: 0 },
  unmatched: { status: 200, grpcStatus: 0 },
  no_api: { status: 404, grpcStatus: 5 },
  invalid_path: { status: 400, grpcStatus: 3 },
  missing_api_key: { status: 401, grpcStatus: 16 },
  ambiguous_api_key: { status: 401, grpcStatus: 16 },
  malformed_api_key: { status: 401, grpcStatus: 16 },
  unknown_api_key: { status: 401, grpcStatus: 16 },
  revoked_api_key: { status: 401, grpcStatus: 16 },
  inactive_api_key: { status: 401, grpcStatus: 16 },
  expired_api_key: { status: 401, grpcStatus: 16 },
  not_subscribed: { status: 403, grpcStatus: 7 },
  subscription_paused: { status: 403, grpcStatus: 7 },
  subscription_inactive: { status: 403, grpcStatus: 7 },
  subscription_expired: { status: 403, grpcStatus: 7 },
  quota_exceeded: { status: 429, grpcStatus: 8 },
  quota_unavailable: { status: 503, grpcStatus: 14 },
  not_configured: { status: 503, grpcStatus: 14 },
  internal_error: { status: 500, grpcStatus: 13 },
  too_many_waiting: { status: 503, grpcStatus: 14 },
  invalid_host: { status: 400, grpcStatus: 3 },
  preflight_answered: { status: 204, grpcStatus: 0 },
  preflight_refused: { status: 204, grpcStatus: 7 },
  no_operation: { status: 404, grpcStatus: 5 },
  method_not_allowed: { status: 405, grpcStatus: 12 },
  operation_not_in_plan: { status: 403, grpcStatus: 7 },
  missing_scope: { status: 403, grpcStatus: 7 },
  retired: { status: 410, grpcStatus: 12 },
  maintenance: { status: 503, grpcStatus: 14 },
  redirected: { status: 308, grpcStatus: 12 },
  mocked: { status: 200, grpcStatus: 12 },
  address_not_allowed: { status: 403, grpcStatus: 7 },
  origin_not_allowed: { status: 403, grpcStatus: 7 },
  missing_credential: { status: 401, grpcStatus: 16 },
  unknown_workload: { status: 403, grpcStatus: 7 },
  api_not_allowed: { status: 403, grpcStatus: 7 },
  unknown_subject: { status: 403, grpcStatus: 7 },
  concurrency_exceeded: { status: 429, grpcStatus: 8 },
  me_answered: { status: 200, grpcStatus: 12 },
  me_exceeded: { status: 429, grpcStatus: 8 },
} as const;

export type Reason = keyof typeof REASONS;
export const REASON_NAMES = Object.keys(REASONS) as [Reason, ...Reason[]];

/** True for the reasons with which a request goes on to the upstream. */
export function passes(reason: string): boolean {
  return REASONS[reason as Reason]?.status === 200 && reason !== 'mocked' && reason !== 'me_answered';
}
