import {
  ABSENT,
  CELL_BYTES,
  Census,
  Counters,
  DEPRECATION,
  dateText,
  keyUntil,
  EditKind,
  FLIES,
  FLIGHT_CELL_BYTES,
  FLIGHT_SHARD_COUNT,
  Flights,
  KEY_ENDS,
  Keyring,
  LINK,
  Lifecycle,
  MAX_QUOTAS,
  NONE,
  Patience,
  RATELIMIT,
  RATELIMIT_POLICY,
  RATELIMIT_WARNING,
  RateLimitHeaders,
  WARNING,
  Reason,
  SETTLES,
  SHOWN,
  Standing,
  SUNSET,
  Tables,
  Tightest,
  Usage,
  View,
  X_RATELIMIT_HEADERS,
  allocate,
  begin,
  codeOf,
  countDecision,
  countObserved,
  decide as decideFilter,
  decision,
  decodeConfig,
  detailOf,
  editAt,
  editCount,
  end,
  findTightest,
  findTightestNow,
  forgetSettlement,
  grpcStatusOf,
  holdUsage,
  isAllowed,
  isGrpc,
  land,
  lengthOf,
  logField,
  logText,
  observedText,
  pointerOf,
  rateLimit,
  rateLimitPolicy,
  rateLimitWarning,
  readHeaders,
  readRequest,
  releaseUsage,
  remember,
  replyBody,
  replyPairs,
  replyStatus,
  LOG_STATES,
  REASON_COUNT,
  SHARD_COUNT,
  STOCK_BYTES,
  STOCK_SHARD_COUNT,
  VISITOR_CELLS,
  VISITOR_SHARD_COUNT,
  resetArena,
  setPeer,
  settleAnswer,
  standingAt,
  responseCodeDetailsOf,
  standings,
  statusOf,
  sweep,
  titleOf,
  useEvidence,
  view,
  writeByte,
  writeNumber,
} from "../../../filter/index";
import { addCorsPairs } from "../../../filter/answer/cors";
import { beginPairs, endPairs } from "../../../filter/answer/pairs";
import { CallerEvidence } from "./callerEvidence";
import { MemoryShards } from "./memoryShards";

/**
 * The pure filter behind a few exports, for runners outside: configure, decide, tick, and the decision as JSON text.
 * Values go in through `malloc`; everything in the arena is gone with the next call.
 */
let tables: Tables | null = null;
let keyring: Keyring | null = null;
const usage: Usage = new Usage();
let result: View = ABSENT;
let problem: View = ABSENT;
const counters: Counters = new Counters(
  new MemoryShards(SHARD_COUNT, CELL_BYTES),
  new MemoryShards(STOCK_SHARD_COUNT, STOCK_BYTES),
);

useEvidence(new CallerEvidence());
counters.visitors = new Counters(
  new MemoryShards(VISITOR_SHARD_COUNT, CELL_BYTES, VISITOR_CELLS),
  new MemoryShards(STOCK_SHARD_COUNT, STOCK_BYTES),
);

/** There is one VM here. */
class Alone extends Census {
  own(): u64 {
    return 1;
  }

  enlist(now: i64): u64 {
    return 1;
  }

  isAlive(vm: u64): bool {
    return vm == 1;
  }
}

const flights = new Flights(new MemoryShards(FLIGHT_SHARD_COUNT, FLIGHT_CELL_BYTES), new Alone());
counters.flights = flights;
counters.visitors!.flights = flights;

export function malloc(size: usize): usize {
  resetArena();
  return allocate(size);
}

export function configure(pointer: usize, length: i32): i32 {
  const decoded = decodeConfig(pointer, length);
  problem = decoded.problem;
  const next = decoded.tables;
  const keys = decoded.keyring;
  if (next == null || keys == null) {
    __collect();
    return 0;
  }
  holdUsage(next, usage);
  release();
  tables = next;
  keyring = keys;
  __collect();
  return 1;
}

function release(): void {
  const old = tables;
  if (old != null) {
    releaseUsage(old);
    old.free();
  }
  const keys = keyring;
  if (keys != null) keys.free();
}

export function problemPtr(): usize {
  result = problem;
  return pointerOf(result);
}

export function problemLen(): i32 {
  return lengthOf(result);
}

/** Headers, and behind them the client's address. */
export function decide(pointer: usize, length: i32, peerLength: i32, nowNanoseconds: i64, streamId: u32): i32 {
  setPeer(view(pointer + length, peerLength));
  readHeaders(view(pointer, length));
  readRequest();
  const present = tables;
  const keys = keyring;
  if (present == null || keys == null) return 0;
  const passes = decideFilter(present, keys, counters, nowNanoseconds, Patience.Unanswered);
  if (decision.sequel == FLIES) flights.hold(streamId);
  if ((decision.remarks & SETTLES) != 0) {
    remember(present, counters, streamId, passes);
    keep(streamId);
  }
  if (decision.observed == Reason.Allowed) countDecision(present, usage);
  else countObserved(present, usage);
  describe(present, passes);
  return 1;
}

/** What a stream shows of its quotas until it is answered. */
class Kept {
  readonly standings: usize = heap.alloc(MAX_QUOTAS * offsetof<Standing>());
  constructor(
    readonly inForce: Tables,
    readonly plan: i32,
    readonly charged: i32,
  ) {
    memory.copy(this.standings, standings(), MAX_QUOTAS * offsetof<Standing>());
  }
}

const kept = new Map<u32, Kept>();

function keep(streamId: u32): void {
  const present = tables;
  if (present != null && decision.standings == SHOWN)
    kept.set(streamId, new Kept(present, decision.plan, decision.charged));
}

/**
 * The answer to a stream, whose headers are those at `pointer`: 1 when that has settled what callers are told of, as the result then says
 * in place of what the decision said.
 */
export function answer(pointer: usize, length: i32, nowNanoseconds: i64, streamId: u32): i32 {
  readHeaders(view(pointer, length));
  const isChanged = settleAnswer(streamId, nowNanoseconds);
  const present = tables;
  if (!isChanged || present == null || !kept.has(streamId)) return 0;
  const stream = kept.get(streamId);
  if (stream.inForce != present) return 0;
  for (let i = 0; i < MAX_QUOTAS; i++) {
    const size = offsetof<Standing>();
    if (standingAt(i).limit > 0)
      memory.copy(stream.standings + <usize>i * size, changetype<usize>(standingAt(i)), size);
  }
  const told = present.rateLimitHeaders & ~WARNING;
  if (told == RateLimitHeaders.XRatelimit) {
    findTightestNow(nowNanoseconds, TIGHTEST);
    begin(4096);
    text("[");
    writeTightest();
  } else {
    if (told != RateLimitHeaders.Standard) return 0;
    const policy = rateLimitPolicy(present, stream.plan, stream.charged, stream.standings);
    const state = rateLimit(present, stream.plan, stream.charged, stream.standings);
    const warning = rateLimitWarning(present, stream.plan, stream.standings);
    begin(4096);
    text("[");
    writeStandard(policy, state, warning);
  }
  text("]");
  result = end();
  return 1;
}

/** The stream of a request that was decided has ended. */
export function endStream(streamId: u32): void {
  resetArena();
  land(streamId);
  forgetSettlement(streamId);
  if (!kept.has(streamId)) return;
  heap.free(kept.get(streamId).standings);
  kept.delete(streamId);
}

export function tick(nowNanoseconds: i64): void {
  sweep(counters, nowNanoseconds);
  const visitors = counters.visitors;
  if (visitors != null) sweep(visitors, nowNanoseconds);
}

export function resultPtr(): usize {
  return pointerOf(result);
}

export function resultLen(): i32 {
  return lengthOf(result);
}

/** Row `index` of the table of reasons as JSON, for tests and for docs/reasons.md; 0 at its end. */
export function reasonRow(index: i32): i32 {
  if (index >= REASON_COUNT) return 0;
  const reason = <Reason>index;
  begin();
  text('{"code":');
  quoted(codeOf(reason));
  text(',"status":');
  writeNumber(statusOf(reason));
  text(',"grpcStatus":');
  writeNumber(grpcStatusOf(reason));
  text(',"title":');
  quoted(titleOf(reason));
  text(',"detail":');
  quoted(detailOf(reason));
  text(',"responseCodeDetails":');
  quoted(responseCodeDetailsOf(reason));
  text(isAllowed(reason) ? ',"allowed":true}' : ',"allowed":false}');
  result = end();
  return 1;
}

/** The fields for access logs, as far as there are any. */
const FIELDS = new StaticArray<View>(LOG_STATES.length);

function describe(present: Tables, allowed: bool): void {
  const grpc = isGrpc();
  // The writer holds one text at a time: parts come first.
  const reason = decision.reason;
  const isObserved = decision.observed != Reason.Allowed;
  if (isObserved) decision.reason = decision.observed;
  const log = !present.logLine ? view(1, 0) : isObserved ? observedText(present) : logText(present);
  for (let i = 0; i < LOG_STATES.length; i++)
    FIELDS[i] = (present.logFields & (1 << i)) == 0 ? ABSENT : logField(present, i);
  decision.reason = reason;
  const body = allowed ? ABSENT : replyBody(present, grpc);
  const pairs = allowed ? ABSENT : replyPairs(present, grpc);
  const deprecated = allowed && decision.deprecated != NONE;
  const ends = allowed && (decision.remarks & KEY_ENDS) != 0 && !isObserved;
  const keyEnd = ends ? dateText(keyUntil) : ABSENT;
  const counted = allowed && decision.standings == SHOWN;
  const told = present.rateLimitHeaders & ~WARNING;
  const shown = counted && told == RateLimitHeaders.Standard;
  const tight = counted && told == RateLimitHeaders.XRatelimit && findTightest(present, TIGHTEST);
  const warning = shown ? rateLimitWarning(present, decision.plan, standings()) : ABSENT;
  const policy = shown ? rateLimitPolicy(present, decision.plan, decision.charged, standings()) : ABSENT;
  const state = shown ? rateLimit(present, decision.plan, decision.charged, standings()) : ABSENT;
  beginPairs();
  if (allowed && decision.origin != NONE) addCorsPairs(present);
  const cors = endPairs();

  begin(4096);
  text('{"reason":');
  quoted(codeOf(isObserved ? <Reason>decision.observed : reason));
  text(',"status":');
  writeNumber(allowed ? 200 : replyStatus(present));
  text(',"grpcStatus":');
  writeNumber(grpcStatusOf(decision.reason));
  text(',"log":');
  quoted(log);
  writeFields();
  writeEditList();
  text(',"response":[');
  if (shown) writeStandard(policy, state, warning);
  if (tight) writeTightest();
  if (deprecated) {
    if (shown || tight) text(",");
    writeDeprecation(present.lifecycles.at(decision.deprecated));
  }
  if (ends) {
    if (shown || tight || deprecated) text(",");
    pair(present.keyEndHeader, keyEnd);
  }
  if ((shown || tight || deprecated || ends) && load<u32>(pointerOf(cors)) > 0) text(",");
  writePairs(cors);
  text('],"reply":');
  if (allowed) text("null");
  else writeReply(body, pairs);
  text("}");
  result = end();
}

const TIGHTEST: Tightest = changetype<Tightest>(memory.data(offsetof<Tightest>(), 8));

function writeStandard(policy: View, state: View, warning: View): void {
  pair(RATELIMIT_POLICY, policy);
  if (lengthOf(state) > 0) {
    text(",");
    pair(RATELIMIT, state);
  }
  if (lengthOf(warning) == 0) return;
  text(",");
  pair(RATELIMIT_WARNING, warning);
}

function writeTightest(): void {
  writeNumbered(X_RATELIMIT_HEADERS[0], TIGHTEST.limit);
  text(",");
  writeNumbered(X_RATELIMIT_HEADERS[1], TIGHTEST.remaining);
  text(",");
  writeNumbered(X_RATELIMIT_HEADERS[2], TIGHTEST.resetAtSeconds);
}

function writeNumbered(name: View, value: i64): void {
  text("[");
  quoted(name);
  text(',"');
  writeNumber(value);
  text('"]');
}

function writeDeprecation(lifecycle: Lifecycle): void {
  pair(DEPRECATION, lifecycle.deprecation);
  if (lifecycle.sunset != ABSENT) {
    text(",");
    pair(SUNSET, lifecycle.sunset);
  }
  if (lifecycle.link == ABSENT) return;
  text(",");
  pair(LINK, lifecycle.link);
}

function writeFields(): void {
  text(',"fields":[');
  let isFirst = true;
  for (let i = 0; i < FIELDS.length; i++) {
    if (FIELDS[i] == ABSENT) continue;
    if (!isFirst) text(",");
    isFirst = false;
    pair(LOG_STATES[i], FIELDS[i]);
  }
  text("]");
}

function writeEditList(): void {
  text(',"edits":[');
  for (let i = 0; i < editCount; i++) {
    if (i > 0) text(",");
    const edit = editAt(i);
    text(edit.kind == EditKind.Set ? '["set",' : '["remove",');
    quoted(edit.name);
    text(",");
    quoted(edit.kind == EditKind.Set ? edit.value : view(1, 0));
    text("]");
  }
  text("]");
}

function writeReply(body: View, pairs: View): void {
  text('{"body":');
  quoted(body);
  text(',"headers":[');
  writePairs(pairs);
  text("]}");
}

function writePairs(pairs: View): void {
  const base = pointerOf(pairs);
  const count = load<u32>(base);
  let at = base + 4 + <usize>count * 8;
  for (let i: u32 = 0; i < count; i++) {
    const nameLength = load<u32>(base + 4 + i * 8);
    const valueLength = load<u32>(base + 8 + i * 8);
    if (i > 0) text(",");
    pair(view(at, nameLength), view(at + nameLength + 1, valueLength));
    at += nameLength + valueLength + 2;
  }
}

function pair(name: View, value: View): void {
  text("[");
  quoted(name);
  text(",");
  quoted(value);
  text("]");
}

function text(ascii: string): void {
  for (let i = 0; i < ascii.length; i++) writeByte(<u8>ascii.charCodeAt(i));
}

/** A JSON string; bytes outside printable ASCII as \u00XX (one byte a character, like Node's latin1). */
function quoted(v: View): void {
  const digits = "0123456789abcdef";
  writeByte(0x22);
  for (let i = 0, n = lengthOf(v); i < n; i++) {
    const byte = load<u8>(pointerOf(v) + i);
    if (byte >= 0x20 && byte < 0x7f && byte != 0x22 && byte != 0x5c) writeByte(byte);
    else {
      text("\\u00");
      writeByte(<u8>digits.charCodeAt(byte >> 4));
      writeByte(<u8>digits.charCodeAt(byte & 15));
    }
  }
  writeByte(0x22);
}
