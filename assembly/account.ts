import { Counters, View, equals, lengthOf, pointerOf, view } from "../filter/index";
import { Pulse } from "./pulse";
import { RateLimitService } from "./rateLimitService";
import { SharedShards, poolOf, stocksOf } from "./sharedShards";

/**
 * What a policy keeps in this VM by its name, whatever tables are in force: an edit of the policy makes a new root, which spends
 * on from the same balances while the old one drains. An account is never given up.
 */
export class Account {
  readonly pool: SharedShards;
  readonly stocks: SharedShards;
  readonly counters: Counters;
  readonly pulse: Pulse;
  /** Once a policy of that name has had a rate limit service. */
  rateLimitService: RateLimitService | null = null;
  next: Account | null = null;
  constructor(readonly policy: View) {
    const pool = poolOf(policy);
    const stocks = stocksOf(policy);
    this.pool = pool;
    this.stocks = stocks;
    this.counters = new Counters(pool, stocks);
    this.pulse = new Pulse(policy);
  }
}

let first: Account | null = null;

/** The account of the policy called `name`, shared by all its roots in this VM; made if there is none. */
export function openAccount(name: View): Account {
  let account: Account | null = first;
  while (account != null) {
    if (equals(account.policy, name)) return account;
    account = account.next;
  }
  const pointer = heap.alloc(lengthOf(name));
  memory.copy(pointer, pointerOf(name), lengthOf(name));
  const opened = new Account(view(pointer, lengthOf(name)));
  opened.next = first;
  first = opened;
  return opened;
}
