import { Outage } from "../rateLimitService/outage";
import { ServiceClock } from "../rateLimitService/serviceClock";
import { Tally } from "../rateLimitService/tally";
import { Balances } from "./balance";
import { ShardStore } from "./shardStore";

/** Everything that one policy counts in this VM: its workers' balances, this Envoy's pool and stocks, and how the rate limit service does. */
export class Counters {
  readonly balances: Balances = new Balances();
  readonly outage: Outage = new Outage();
  readonly serviceClock: ServiceClock = new ServiceClock();
  readonly tally: Tally = new Tally();
  /** A call that no answer has ended by then was lost with its VM or its root. Longer than the timeout of a call. */
  callLifetimeNanoseconds: i64 = 6_000_000_000;
  /** Until then the rate limit service is asked for single units: it counts calls, not units. */
  singleUntil: i64 = 0;
  constructor(
    readonly pool: ShardStore,
    readonly stocks: ShardStore,
  ) {}
}
