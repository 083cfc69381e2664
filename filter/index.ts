/** The decision, pure: everything `assembly/` and the tests need of it. Imports nothing from any host. */
export { allocate, resetArena } from "./bytes/arena";
export { ABSENT, View, view, pointerOf, lengthOf, literal, toString, equals } from "./bytes/view";
export { begin, end, writeByte, writeNumber, writeView } from "./bytes/writer";
export { decodeConfig, Decoded } from "./config/decode";
export { Tables } from "./tables/tables";
export { NONE } from "./tables/record";
export { Balances } from "./quota/balance";
export { SHARD_COUNT, ShardStore, WriteResult } from "./quota/ledger";
export { emptyShard, isShard } from "./quota/shard";
export { sweep } from "./quota/lease";
export { Standing, standings, MAX_STANDINGS } from "./quota/standing";
export { headerCount, headerName, readHeaders } from "./request/headers";
export { readRequest, isGrpc, isOwnHeader } from "./request/request";
export { decide } from "./decision/decide";
export { mayBeDecidedAlready } from "./decision/outcome";
export { decision, Decision } from "./decision/decision";
export { EditKind, editCount, editKind, editName, editValue } from "./decision/edit";
export {
  Reason, REASON_COUNT, codeOf, detailOf, grpcStatusOf, isAllowed, responseCodeDetailsOf, statusOf, titleOf,
} from "./decision/reason";
export { countDecision } from "./decision/count";
export { problemBody, replyPairs, RATELIMIT, RATELIMIT_POLICY } from "./answer/reply";
export { rateLimit, rateLimitPolicy } from "./answer/ratelimit";
export { logText } from "./answer/log";
