import { ABSENT, AnswerVerdict as Verdict, View, begin, end, literal, writeFormat } from "../filter/index";
import { LogLevel, log } from "./host";
import { Account } from "./root";

/** One line in the log when the rate limit service ceases to do its work, and one when it does it again; never one for a call. */
const QUIET_NANOSECONDS: i64 = 30_000_000_000;

const FAILED = literal(
  "tollgate: policy %s: the rate limit service does not answer: gRPC status %d (%s); quotas with scope mesh go by onUnavailable",
);
const MALFORMED = literal(
  "tollgate: policy %s: the rate limit service sent what is no answer to the question; quotas with scope mesh go by onUnavailable",
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

/** A call has ended with a gRPC status. */
export function reportFailure(account: Account, status: u32, now: i64): void {
  report(account, FAILED, status, status < <u32>GRPC_STATUS.length ? GRPC_STATUS[status] : GRPC_STATUS[2], now);
}

/** A call was answered. */
export function reportAnswer(account: Account, verdict: Verdict, now: i64): void {
  if (verdict == Verdict.Malformed) report(account, MALFORMED, 0, ABSENT, now);
  else if (verdict == Verdict.Unlimited) report(account, UNLIMITED, 0, ABSENT, now);
  else if (account.isRateLimitServiceReported) {
    account.isRateLimitServiceReported = false;
    write(LogLevel.Info, BACK, account.policy, 0, ABSENT);
  }
}

function report(account: Account, text: View, status: u32, name: View, now: i64): void {
  const quiet = now - account.rateLimitServiceReportedAt;
  if (account.isRateLimitServiceReported || (quiet >= 0 && quiet < QUIET_NANOSECONDS)) return;
  account.isRateLimitServiceReported = true;
  account.rateLimitServiceReportedAt = now;
  write(LogLevel.Warn, text, account.policy, status, name);
}

function write(level: LogLevel, text: View, policy: View, status: u32, name: View): void {
  begin();
  writeFormat(text, policy, status, name);
  log(level, end());
}
