import { sweep } from "../filter/index";
import { currentTimeNanoseconds } from "./host";
import { expireCalls } from "./ledger";
import { Account, Root, noteTick } from "./root";
import { scanStocks } from "./stockScan";
import { resumeWaiting } from "./waiting";

/** What a root does now and then: those who wait first, then, at the usual pace, leases, metrics and roots that are gone. */
export function onTick(root: Root): void {
  const waits = resumeWaiting(root);
  if (!root.isWorkDue()) return;
  if (!waits) root.calm();
  // Every object in use hangs on a global, so collecting is safe here too.
  if (noteTick(root)) __collect();
  const tables = root.tables;
  const metrics = root.metrics;
  const account = root.account;
  if (tables == null || metrics == null || account == null) return;
  metrics.flush(tables);
  const counters = account.counters;
  const now = currentTimeNanoseconds();
  if (counters.balances.count > 0) sweep(counters, now);
  tendLedger(account, now);
}

function tendLedger(account: Account, now: i64): void {
  const metrics = account.ledgerMetrics;
  if (metrics == null) return;
  expireCalls(now);
  metrics.flush(account.counters);
  scanStocks(account.stocks, metrics.held, now);
}
