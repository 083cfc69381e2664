import {
  ABSENT,
  AnswerVerdict,
  CALL_BYTES,
  Call,
  Count,
  ServiceState,
  Tables,
  View,
  begin,
  end,
  fail,
  grpcService,
  literal,
  messageOf,
  resetArena,
  settle,
  unclaim,
  wake,
  writeFormat,
} from "../filter/index";
import { CallOwner, MAX_CALLS, NO_STATUS, beginCall, releaseCalls } from "./callout";
import { LogLevel, currentTimeNanoseconds, grpcCall, grpcMessage, log, setEffectiveContext } from "./host";
import { RateLimitServiceMetrics } from "./metrics";
import { SharedShards, scanStocks } from "./sharedShards";

/**
 * One policy's calls to its rate limit service and what follows from the answers: Envoy's rate limit protocol over gRPC, in calls of
 * the root context. `waiting` chooses the counters of each call.
 */
const SERVICE = literal("envoy.service.ratelimit.v3.RateLimitService");
const METHOD = literal("ShouldRateLimit");
/** A longer answer counts as malformed. */
const MAX_ANSWER_BYTES: u32 = 4096;
/** A call may take this many times as long as a request waits for it, so that units granted late are not lost. */
const CALL_TIMEOUTS = 10;
const MIN_CALL_MILLISECONDS = 200;
const MAX_CALL_MILLISECONDS = 5000;
/** The host ends a call at its timeout, unless the call's root is gone; then the module gives it up this much later. */
const LIFETIME_MARGIN_MILLISECONDS = 1000;
/** The shortest time between two log lines that report a failing service. */
const QUIET_NANOSECONDS: i64 = 30_000_000_000;

const FAILED = literal(
  "tollgate: policy %s: the rate limit service does not answer: gRPC status %d (%s); quotas with scope mesh go by onUnavailable",
);
const MALFORMED = literal(
  "tollgate: policy %s: the rate limit service sent an answer that does not fit the call; quotas with scope mesh go by onUnavailable",
);
const UNLIMITED = literal(
  "tollgate: policy %s: the rate limit service knows no limit for a quota with scope mesh, which goes by onUnavailable: does its configuration match (tollgate rate-limit-service)?",
);
// the host says no more than that there is no call
const NOT_CALLED = literal(
  "tollgate: policy %s: the rate limit service cannot be called: Envoy has no cluster of that name, or no healthy host in it; quotas with scope mesh go by onUnavailable",
);
const BACK = literal("tollgate: policy %s: the rate limit service answers again");

const GRPC_STATUS: StaticArray<View> = [
  literal("ok"),
  literal("cancelled"),
  literal("unknown"),
  literal("invalid argument"),
  literal("deadline exceeded"),
  literal("not found"),
  literal("already exists"),
  literal("permission denied"),
  literal("resource exhausted"),
  literal("failed precondition"),
  literal("aborted"),
  literal("out of range"),
  literal("unimplemented"),
  literal("internal"),
  literal("unavailable"),
  literal("data loss"),
  literal("unauthenticated"),
];

/** The calls under way, by slot; allocated once a policy has a rate limit service. */
let calls: usize = 0;

function callAt(slot: i32): Call {
  return changetype<Call>(calls + <usize>slot * CALL_BYTES);
}

/** A call without counters, in a free slot. */
export function emptyCall(slot: i32): Call {
  const call = callAt(slot);
  call.count = 0;
  return call;
}

export class RateLimitService extends CallOwner {
  private readonly metrics: RateLimitServiceMetrics;
  /** True when the last log line about the service reports that it fails. */
  private isReportedDown: bool = false;
  private reportedAtNanoseconds: i64 = 0;

  constructor(
    private readonly policy: View,
    private readonly service: ServiceState,
  ) {
    super();
    this.metrics = new RateLimitServiceMetrics(policy);
    if (calls == 0) calls = heap.alloc(<usize>MAX_CALLS * CALL_BYTES);
  }

  /** A new root is in force. Calls of the old root may never be answered, so their counters are released for new calls. */
  open(tables: Tables): void {
    const lifetimeMilliseconds = callTimeoutMilliseconds(tables) + LIFETIME_MARGIN_MILLISECONDS;
    this.service.callLifetimeNanoseconds = <i64>lifetimeMilliseconds * 1_000_000;
    releaseCalls(0, this);
  }

  /** Sends the call in a slot. Must not be called in a callback that sends a reply: the host does not accept both. */
  send(tables: Tables, rootId: u32, slot: i32): void {
    const call = callAt(slot);
    this.service.tally.add(Count.Asked, 1);
    this.service.tally.add(Count.AskedUnits, call.units * call.count);
    resetArena();
    setEffectiveContext(rootId);
    const token = grpcCall(
      grpcService(tables.rateLimitService),
      SERVICE,
      METHOD,
      messageOf(tables, call),
      callTimeoutMilliseconds(tables),
    );
    if (token != 0) beginCall(slot, token, rootId, this, call.sentAtNanoseconds, this.service.callLifetimeNanoseconds);
    else {
      const now = currentTimeNanoseconds();
      this.fail(slot, now);
      this.reportDown(NOT_CALLED, 0, ABSENT, now);
    }
  }

  onAnswer(slot: i32, size: u32): void {
    const message = size > MAX_ANSWER_BYTES ? ABSENT : grpcMessage(size);
    const now = currentTimeNanoseconds();
    this.reportAnswer(settle(this.service, callAt(slot), message, now), now);
    wake(callAt(slot));
  }

  onFailure(slot: i32, status: u32): void {
    const now = currentTimeNanoseconds();
    this.fail(slot, now);
    if (status == NO_STATUS) return;
    const name = GRPC_STATUS[status < <u32>GRPC_STATUS.length ? status : 2];
    this.reportDown(FAILED, status, name, now);
  }

  onRelease(slot: i32): void {
    resetArena();
    unclaim(this.service, callAt(slot), currentTimeNanoseconds());
    this.service.outage.forgetTrial();
    wake(callAt(slot));
  }

  /** To be called on ticks: passes metrics on to the host. */
  onTick(stocks: SharedShards, now: i64): void {
    this.metrics.flush(this.service);
    scanStocks(stocks, this.metrics.held, now);
  }

  private fail(slot: i32, now: i64): void {
    resetArena();
    fail(this.service, callAt(slot), now);
    wake(callAt(slot));
  }

  /** Logs one line when the service begins to fail and one when it works again, never one per call. */
  private reportAnswer(verdict: AnswerVerdict, now: i64): void {
    if (verdict == AnswerVerdict.Malformed) this.reportDown(MALFORMED, 0, ABSENT, now);
    else if (verdict == AnswerVerdict.Unlimited) this.reportDown(UNLIMITED, 0, ABSENT, now);
    else if (this.isReportedDown) {
      this.isReportedDown = false;
      this.write(LogLevel.Info, BACK, 0, ABSENT);
    }
  }

  private reportDown(text: View, status: u32, name: View, now: i64): void {
    const quiet = now - this.reportedAtNanoseconds;
    if (this.isReportedDown || (quiet >= 0 && quiet < QUIET_NANOSECONDS)) return;
    this.isReportedDown = true;
    this.reportedAtNanoseconds = now;
    this.write(LogLevel.Warn, text, status, name);
  }

  private write(level: LogLevel, text: View, status: u32, name: View): void {
    begin();
    writeFormat(text, this.policy, status, name);
    log(level, end());
  }
}

function callTimeoutMilliseconds(tables: Tables): i32 {
  return min(
    MAX_CALL_MILLISECONDS,
    max(MIN_CALL_MILLISECONDS, tables.rateLimitService.timeoutMilliseconds * CALL_TIMEOUTS),
  );
}
