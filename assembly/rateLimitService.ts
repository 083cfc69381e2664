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
 * What one policy says to its rate limit service, and what it makes of the answers: Envoy's rate limit protocol, in calls of the root
 * context. Which counters a call asks for is chosen elsewhere (see waiting).
 */
const SERVICE = literal("envoy.service.ratelimit.v3.RateLimitService");
const METHOD = literal("ShouldRateLimit");
/** A longer answer is none. */
const MAX_ANSWER_BYTES: u32 = 4096;
/** A call may take so many times as long as a request waits for it: what it brings late is not lost. */
const CALL_TIMEOUTS = 10;
const MIN_CALL_MILLISECONDS = 200;
const MAX_CALL_MILLISECONDS = 5000;
/** The host ends a call when its timeout is over; when the root is gone, nobody does. */
const LIFETIME_MARGIN_MILLISECONDS = 1000;
/** Between two lines in the log that say that the service does not answer. */
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

/** What each call under way asks for, by its slot; there once some policy has a rate limit service. */
let asks: usize = 0;

function askAt(slot: i32): Call {
  return changetype<Call>(asks + <usize>slot * CALL_BYTES);
}

/** A call without counters yet, in a slot that is free. */
export function emptyCall(slot: i32): Call {
  const call = askAt(slot);
  call.count = 0;
  return call;
}

export class RateLimitService extends CallOwner {
  private readonly metrics: RateLimitServiceMetrics;
  /** The log's last line about the service says that it does not do its work. */
  private isReportedDown: bool = false;
  private reportedAtNanoseconds: i64 = 0;

  constructor(
    private readonly policy: View,
    private readonly service: ServiceState,
  ) {
    super();
    this.metrics = new RateLimitServiceMetrics(policy);
    if (asks == 0) asks = heap.alloc(<usize>MAX_CALLS * CALL_BYTES);
  }

  /** A new root is in force. What calls of the former one are under way for may be asked for anew: their answers may go with it. */
  open(tables: Tables): void {
    const lifetimeMilliseconds = callTimeoutMilliseconds(tables) + LIFETIME_MARGIN_MILLISECONDS;
    this.service.callLifetimeNanoseconds = <i64>lifetimeMilliseconds * 1_000_000;
    releaseCalls(0, this);
  }

  /** Sends the call in a slot, which has counters. A callback that sends a reply must not: the host does not take both. */
  send(tables: Tables, rootId: u32, slot: i32): void {
    const call = askAt(slot);
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
    else this.lose(slot, currentTimeNanoseconds());
  }

  onAnswer(slot: i32, size: u32): void {
    const message = size > MAX_ANSWER_BYTES ? ABSENT : grpcMessage(size);
    const now = currentTimeNanoseconds();
    this.reportAnswer(settle(this.service, askAt(slot), message, now), now);
    wake(askAt(slot));
  }

  onFailure(slot: i32, status: u32): void {
    const now = currentTimeNanoseconds();
    this.lose(slot, now);
    if (status == NO_STATUS) return;
    const name = GRPC_STATUS[status < <u32>GRPC_STATUS.length ? status : 2];
    this.reportDown(FAILED, status, name, now);
  }

  onRelease(slot: i32): void {
    resetArena();
    unclaim(this.service, askAt(slot), currentTimeNanoseconds());
    this.service.outage.forgetTrial();
    wake(askAt(slot));
  }

  /** To be called on ticks: metrics are handed to the host. */
  tend(stocks: SharedShards, now: i64): void {
    this.metrics.flush(this.service);
    scanStocks(stocks, this.metrics.held, now);
  }

  private lose(slot: i32, now: i64): void {
    resetArena();
    fail(this.service, askAt(slot), now);
    wake(askAt(slot));
  }

  /** One line in the log when the service stops doing its work, and one when it does it again; never one for each call. */
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
