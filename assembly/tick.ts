import { resetArena, sweep } from "../filter/index";
import { currentTimeNanoseconds, setEffectiveContext } from "./host";
import { expireCalls } from "./rateLimitService";
import { Account, Root } from "./root";
import { scanStocks } from "./stockScan";
import { resumeWaiting } from "./waiting";

/** What a root does now and then: those who wait first, then, at the usual pace, signs of life, leases and metrics. */
export function onTick(root: Root): void {
  const waits = resumeWaiting();
  if (!root.isWorkDue()) return;
  // Host calls may be about a stream that was resumed.
  setEffectiveContext(root.id);
  if (!waits) root.calm();
  const tables = root.tables;
  const metrics = root.metrics;
  const account = root.account;
  if (tables == null || metrics == null || account == null) return;
  metrics.flush(tables);
  const counters = account.counters;
  const now = currentTimeNanoseconds();
  resetArena();
  account.pulse.beat(now);
  if (counters.balances.count > 0) sweep(counters, now);
  tendRateLimitService(account, now);
}

function tendRateLimitService(account: Account, now: i64): void {
  const metrics = account.rateLimitServiceMetrics;
  if (metrics == null) return;
  expireCalls(now);
  metrics.flush(account.counters);
  scanStocks(account.stocks, metrics.held, now);
}
