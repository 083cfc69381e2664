/** The decision, pure: everything `assembly/` and the tests need of it. Imports nothing from any host. */
export { allocate, resetArena } from "./bytes/arena";
export { ABSENT, View, view, pointerOf, lengthOf, literal, equals } from "./bytes/view";
export { writeFormat } from "./bytes/arena";
export { begin, end, writeByte, writeNumber, writeView } from "./bytes/arena";
export { Census } from "./inFlight/census";
export { expected } from "./inFlight/expected";
export { Flights, land } from "./inFlight/flights";
export { FLIGHT_CELL_BYTES, FLIGHT_SHARD_COUNT } from "./inFlight/shard";
export { decodeConfig, Decoded } from "./config/decode";
export { Rows, Slots } from "./bytes/rows";
export { QuotaList } from "./tables/quota";
export { Tables } from "./tables/tables";
export { holdUsage, releaseUsage } from "./tables/holders";
export { NONE } from "./bytes/rows";
export { SECRET_BYTES, useSecret } from "./bytes/sip";
export { Keyring } from "./keyring/keyring";
export { ALLOWED, CELL_COUNT, Usage, UsageRow, quotaOfCell, reasonOfCell } from "./usage/usage";
export { digestOf } from "./tables/counterId";
export { LOG_STATES, MAX_COUNTED, MAX_QUOTAS, MAX_WARNINGS, X_RATELIMIT_HEADERS } from "./config/contract";
export { NANOSECONDS } from "./time/window";
export { Patience, Standing, bill, standingAt, standings } from "./quota/attempt";
export { Counters } from "./quota/counters";
export { forgetSettlement, isSettling, remember, settleAnswer, settling } from "./quota/settlement";
export { sweep } from "./quota/sweep";
export { CELL_BYTES, SHARD_COUNT } from "./quota/local";
export { VISITOR_CELLS, VISITOR_SHARD_COUNT } from "./quota/visitors";
export { noted } from "./quota/mesh";
export { ShardStore, WriteResult, emptyShard, isShard } from "./shared/shard";
export { STOCK_BYTES, STOCK_SHARD_COUNT, heldInShard } from "./rateLimitService/stock";
export {
  Call,
  CALL_BYTES,
  Claim,
  Counter,
  MAX_CALL_COUNTERS,
  claim,
  counterOf,
  unclaim,
} from "./rateLimitService/call";
export { grpcService, messageOf } from "./rateLimitService/message";
export { AnswerVerdict } from "./rateLimitService/answer";
export { fail, settle } from "./rateLimitService/settle";
export { Count, COUNT_COUNT, ServiceState, Tally } from "./rateLimitService/service";
export { Line, cannotAsk, fillCall, lineToAsk, linesToAsk, wake } from "./waiting/line";
export {
  Turn,
  Waiter,
  beginRound,
  forgetPositions,
  forgetWaiter,
  join,
  leave,
  lookAtTurn,
  mayWait,
  nextTurn,
  patienceAtEnd,
  stay,
  turnLine,
  turnWaiter,
  waiting,
} from "./waiting/queue";
export { Evidence, useEvidence } from "./credential/evidence";
export { headerCount, headerName, readHeaders } from "./request/headers";
export { readRequest, isGrpc, isOwnHeader } from "./request/request";
export { setPeer } from "./request/address";
export { countDecision, countObserved } from "./decision/count";
export { decide, refuseToWait } from "./decision/decide";
export { mayBeDecidedAlready } from "./decision/edits";
export { isForgeable } from "./decision/identity";
export { decision, Decision } from "./decision/decision";
export { FLIES, KEY_ENDS, LOGGED, NO_SEQUEL, NO_STANDINGS, SETTLES, SHOWN } from "./decision/decision";
export { EditKind, editAt, editCount } from "./request/headers";
export {
  Reason,
  REASON_COUNT,
  codeOf,
  detailOf,
  grpcStatusOf,
  isAllowed,
  responseCodeDetailsOf,
  statusOf,
  titleOf,
} from "./decision/decision";
export { DEPRECATION, LINK, SUNSET } from "./answer/lifecycle";
export { dateText, tellsKeyEnd, turnKeyEnd } from "./answer/keyEnd";
export { keyUntil } from "./decision/guard";
export { Lifecycle } from "./tables/lifecycle";
export {
  replyBody,
  replyPairs,
  replyStatus,
  RATELIMIT,
  RATELIMIT_POLICY,
  rateLimit,
  rateLimitPolicy,
  logText,
  observedText,
} from "./answer/reply";
export { logField } from "./answer/accessLog";
export { Tightest, findTightest, findTightestNow, numberText } from "./answer/tightest";
export { RATELIMIT_WARNING, rateLimitWarning } from "./answer/warning";
export { countWarnings } from "./quota/warning";
export { RateLimitHeaders, WARNING } from "./tables/disclosure";
export {
  ALLOW_CREDENTIALS,
  ALLOW_ORIGIN,
  EXPOSE_HEADERS,
  TRUE,
  VARY,
  VARY_BY_ORIGIN,
  allowedOrigin,
  isAnyOrigin,
  isWildcard,
} from "./answer/cors";
export { FOREIGN, corsOf } from "./cors/origin";
