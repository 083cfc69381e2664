import { Reason, decision, isAllowed } from "../decision/decision";
import { overlooks } from "../decision/observe";
import { NEVER, NO_LIFECYCLE } from "../tables/lifecycle";
import { Tables } from "../tables/tables";

/** The lifecycle that the current request was answered by; meaningful only after one of its reasons. */
export let answering: i32 = NO_LIFECYCLE;
/** The lifecycle whose mock answers in the place of an upstream, if the request is allowed. */
let mocking: i32 = NO_LIFECYCLE;

/** To be called before the first lifecycle of a request. */
export function beginLifecycles(): void {
  mocking = NO_LIFECYCLE;
}

/**
 * Takes in the lifecycle of what the request has come to: an API, an operation, a route. The later one is the more specific: its
 * deprecation is shown, and its mock answers. Returns the reason for which the request goes no further, or `Allowed`.
 */
export function enter(tables: Tables, number: i32, nowSeconds: i64): Reason {
  if (number == NO_LIFECYCLE) return Reason.Allowed;
  const lifecycle = tables.lifecycles.at(number);
  if (lifecycle.isDeprecated) decision.deprecated = number;
  if (lifecycle.isMock) mocking = number;
  answering = number;
  if (lifecycle.retiredFrom <= nowSeconds && !overlooks(tables, Reason.Retired)) return Reason.Retired;
  if (
    lifecycle.maintenanceFrom <= nowSeconds &&
    nowSeconds < lifecycle.maintenanceUntil &&
    !overlooks(tables, Reason.Maintenance)
  ) {
    decision.retryAfterSeconds = lifecycle.maintenanceUntil == NEVER ? 0 : lifecycle.maintenanceUntil - nowSeconds;
    return Reason.Maintenance;
  }
  return lifecycle.redirectStatus != 0 ? Reason.Redirected : Reason.Allowed;
}

/** `Mocked` in the place of a reason that lets the request reach an upstream, where a mock stands in its place. */
export function mockOr(reason: Reason): Reason {
  if (mocking == NO_LIFECYCLE || !isAllowed(reason)) return reason;
  answering = mocking;
  return Reason.Mocked;
}
