import { Counters, Tables, View, equals, forgetPositions, lengthOf, pointerOf, view } from "../filter/index";
import { currentTimeNanoseconds, setTickPeriod } from "./host";
import { RateLimitServiceMetrics } from "./rateLimitServiceMetrics";
import { Metrics } from "./metrics";
import { Pulse } from "./pulse";
import { SharedShards, poolOf, stocksOf } from "./sharedShards";
import { forgetRoot } from "./stream";

/** Leases go back and counters are flushed this often. */
export const TICK_MILLISECONDS = 250;
/** Ticks in that time while somebody waits. */
const FAST_TICKS = 125;

/**
 * What one policy counts in this VM. It outlives roots: an edit of the policy makes a new root, which spends on from the
 * same balances while the old one drains.
 */
export class Account {
  readonly pool: SharedShards;
  readonly stocks: SharedShards;
  readonly counters: Counters;
  readonly pulse: Pulse;
  /** Once a policy of that name has had a rate limit service. */
  rateLimitServiceMetrics: RateLimitServiceMetrics | null = null;
  /** The log says that the rate limit service does not do its work, and since when. */
  isRateLimitServiceReported: bool = false;
  rateLimitServiceReportedAt: i64 = 0;
  constructor(
    readonly policy: View,
    readonly number: i32,
  ) {
    const pool = poolOf(policy);
    const stocks = stocksOf(policy);
    this.pool = pool;
    this.stocks = stocks;
    this.counters = new Counters(pool, stocks);
    this.pulse = new Pulse(policy);
  }
}

/** One root context: a policy in force. The tables, metrics and account are there once it is configured. */
export class Root {
  tables: Tables | null = null;
  metrics: Metrics | null = null;
  account: Account | null = null;
  private isHurried: bool = false;
  private ticksToWork: i32 = 1;
  constructor(readonly id: u32) {}

  /** Makes ticks come fast: somebody waits. */
  hurry(): void {
    if (this.isHurried) return;
    this.isHurried = true;
    this.ticksToWork = FAST_TICKS;
    setTickPeriod(TICK_MILLISECONDS / FAST_TICKS);
  }

  /** Makes ticks come at their usual pace; the host's present context must be the root. */
  calm(): void {
    if (!this.isHurried) return;
    this.isHurried = false;
    this.ticksToWork = 1;
    setTickPeriod(TICK_MILLISECONDS);
  }

  /** To be asked at each tick: true at the usual pace, however fast ticks come. */
  isWorkDue(): bool {
    if (--this.ticksToWork > 0) return false;
    this.ticksToWork = this.isHurried ? FAST_TICKS : 1;
    return true;
  }
}

const roots: Root[] = [];
const accounts: Account[] = [];

export function findRoot(id: u32): Root | null {
  for (let i = 0; i < roots.length; i++) {
    if (roots[i].id == id) return roots[i];
  }
  return null;
}

/** The root with this id; made if there is none. */
export function openRoot(id: u32): Root {
  const known = findRoot(id);
  if (known != null) return known;
  const root = new Root(id);
  roots.push(root);
  return root;
}

/** The account of the policy called `name`, shared by all its roots in this VM. */
export function openAccount(name: View): Account {
  for (let i = 0; i < accounts.length; i++) {
    if (equals(accounts[i].policy, name)) return accounts[i];
  }
  const pointer = heap.alloc(lengthOf(name));
  memory.copy(pointer, pointerOf(name), lengthOf(name));
  const account = new Account(view(pointer, lengthOf(name)), accounts.length);
  accounts.push(account);
  return account;
}

export function accountAt(number: i32): Account {
  return accounts[number];
}

/** Puts tables in force on a root; those they replace are flushed and freed. */
export function install(root: Root, tables: Tables, metrics: Metrics, account: Account): void {
  release(root);
  root.tables = tables;
  root.metrics = metrics;
  root.account = account;
}

/** Lets go of a root that is no more; false when there is none with this id. */
export function closeRoot(id: u32): bool {
  for (let i = 0; i < roots.length; i++) {
    if (roots[i].id != id) continue;
    const account = roots[i].account;
    release(roots[i]);
    roots.splice(i, 1);
    if (account != null && !isServed(account)) account.pulse.end(currentTimeNanoseconds());
    return true;
  }
  return false;
}

function isServed(account: Account): bool {
  for (let i = 0; i < roots.length; i++) {
    if (roots[i].account == account) return true;
  }
  return false;
}

function release(root: Root): void {
  const tables = root.tables;
  if (tables == null) return;
  const metrics = root.metrics;
  if (metrics != null) metrics.flush(tables);
  forgetRoot(root.id);
  forgetPositions(root.id);
  root.tables = null;
  tables.free();
}
