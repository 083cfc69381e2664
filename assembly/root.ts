import { Balances, Tables, View, equals, lengthOf, pointerOf, view } from "../filter/index";
import { Metrics } from "./metrics";
import { SharedPool } from "./pool";
import { forgetRoot } from "./stream";

/** Rounds after which a root that has not ticked is taken for gone: ten seconds or more. */
const MAX_SILENT_ROUNDS: u32 = 40;

/** A round ends when some root ticks twice, so rounds go on at the pace of ticks, however many roots there are. */
let round: u32 = 0;

/**
 * What one policy counts in this VM. It outlives roots: an edit of the policy makes a new root, which spends on from the
 * same balances while the old one drains.
 */
export class Account {
  readonly balances: Balances = new Balances();
  readonly pool: SharedPool;
  constructor(readonly policy: View) {
    this.pool = new SharedPool(policy);
  }
}

/** One root context: a policy in force. The tables, metrics and account are there once it is configured. */
export class Root {
  tables: Tables | null = null;
  metrics: Metrics | null = null;
  account: Account | null = null;
  /** The round it was last heard of. */
  lastRound: u32 = round;
  constructor(readonly id: u32) {}
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
  const account = new Account(view(pointer, lengthOf(name)));
  accounts.push(account);
  return account;
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
  root.tables = null;
  tables.free();
}
