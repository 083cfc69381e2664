import { Flights } from "../inFlight/flights";
import { ServiceState } from "../rateLimitService/service";
import { ShardStore } from "../shared/shard";
import { Per, Quota } from "../tables/quota";
import { Balances } from "./balances";

/** Everything that one policy counts in this VM: its balances, this Envoy's pool, and the rate limit service with its stocks. */
export class Counters {
  readonly balances: Balances = new Balances();
  readonly service: ServiceState;
  /** What is counted of callers without a key and by address, where a policy does; its balances and its pool are bounded (see visitors). */
  visitors: Counters | null = null;
  /** Requests of visitors for whom there was no place, since the last flush. */
  crowded: i32 = 0;
  /** Requests in flight, where plans limit them; visitors' are counted with the others. */
  flights: Flights | null = null;
  constructor(
    readonly pool: ShardStore,
    stocks: ShardStore,
  ) {
    this.service = new ServiceState(stocks);
  }
}

/**
 * Where the counters of a quota are, of those that a request is counted in: anybody can make as many addresses as they like, so counters by
 * address are with the visitors', whoever's they are.
 */
// @ts-ignore: decorator
@inline
export function storeOf(counters: Counters, quota: Quota): Counters {
  if (quota.per != Per.Address) return counters;
  const visitors = counters.visitors;
  return visitors == null ? counters : visitors;
}
