import { Outage } from "../ledger/outage";
import { Tally } from "../ledger/tally";
import { Balances } from "./balance";
import { ShardStore } from "./shardStore";

/** Everything that one policy counts in this VM: its workers' balances, this Envoy's pool and stocks, and how the ledger does. */
export class Counters {
  readonly balances: Balances = new Balances();
  readonly outage: Outage = new Outage();
  readonly tally: Tally = new Tally();
  constructor(readonly pool: ShardStore, readonly stocks: ShardStore) {}
}
