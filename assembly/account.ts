import { Counters, View, equals, lengthOf, pointerOf, view } from "../filter/index";
import { RateLimitServiceMetrics } from "./metrics";
import { Pulse } from "./pulse";
import { SharedShards, poolOf, stocksOf } from "./sharedShards";

/**
 * What a policy keeps in this VM by its name, whatever tables are in force: an edit of the policy makes a new root, which spends
 * on from the same balances while the old one drains. An account is never given up, nor is its number.
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

const accounts: Account[] = [];

/** The account of the policy called `name`, shared by all its roots in this VM; made if there is none. */
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
