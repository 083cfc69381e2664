/** What an access log may show of a decision, in the order of the contract's LOG_FIELDS. */
export const enum LogField {
  Reason,
  Api,
  Operation,
  Route,
  Consumer,
  KeyId,
  Plan,
  Quota,
  Remaining,
  Host,
  Mode,
}
