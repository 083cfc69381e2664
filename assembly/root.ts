import { Counters, Tables, View, equals, lengthOf, pointerOf, view } from "../filter/index";
import { setTickPeriod } from "./host";
import { LedgerMetrics } from "./ledgerMetrics";
import { Metrics } from "./metrics";
import { SharedShards, poolOf, stocksOf } from "./sharedShards";
import { forgetRoot } from "./stream";
import { forgetWaiters } from "./waiting";

/** Leases go back and counters are flushed this often. */
export const TICK_MILLISECONDS = 250;
/** Ticks in that time while somebody waits. */
const FAST_TICKS = 50;
/** Rounds after which a root that has not ticked is taken for gone: ten seconds or more. */
const MAX_SILENT_ROUNDS: u32 = 40;

/** A round ends when some root ticks twice, so rounds go on at the pace of ticks, however many roots there are. */
let round: u32 = 0;

/**
 * What one policy counts in this VM. It outlives roots: an edit of the policy makes a new root, which spends on from the
 * same balances while the old one drains.
 */
export class Account {
  readonly pool: SharedShards;
  readonly stocks: SharedShards;
  readonly counters: Counters;
  /** Once a policy of that name has had a ledger. */
  ledgerMetrics: LedgerMetrics | null = null;
  constructor(readonly policy: View, readonly number: i32) {
    const pool = poolOf(policy);
    const stocks = stocksOf(policy);
    this.pool = pool;
    this.stocks = stocks;
    this.counters = new Counters(pool, stocks);
  }
}

/** One root context: a policy in force. The tables, metrics and account are there once it is configured. */
export class Root {
  tables: Tables | null = null;
  metrics: Metrics | null = null;
  account: Account | null = null;
  /** The round it was last heard of. */
  lastRound: u32 = round;
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

/**
 * Notes that `root` has ticked, and lets go of roots that have not for a long time; true when there was one. The host would
 * tell with `proxy_on_done` and `proxy_on_delete`, but it calls these for each request too; ticks end with the root as well.
 */
export function noteTick(root: Root): bool {
  let gone = false;
  if (root.lastRound == round) round++;
  root.lastRound = round;
  for (let i = roots.length - 1; i >= 0; i--) {
    const other = roots[i];
    if (round - other.lastRound <= MAX_SILENT_ROUNDS) continue;
    release(other);
    roots.splice(i, 1);
    gone = true;
  }
  return gone;
}

function release(root: Root): void {
  const tables = root.tables;
  if (tables == null) return;
  const metrics = root.metrics;
  if (metrics != null) metrics.flush(tables);
  forgetRoot(root.id);
  forgetWaiters(root.id);
  root.tables = null;
  tables.free();
}
