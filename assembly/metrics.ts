import { REASON_COUNT, Reason, Tables, codeOf, toString } from "../filter/index";
import { LogLevel, defineCounter, defineGauge, incrementCounter, log } from "./host";

/** Pairs of API and plan that get counters of their own; the host never forgets a metric. */
const MAX_OFFERS = 512;

/** Ids of this VM's metrics by name: a name is defined once, however often the policy is edited. */
const ids: Map<string, u32> = new Map<string, u32>();

export function counter(name: string): u32 {
  return ids.has(name) ? ids.get(name) : remember(name, defineCounter(name));
}

export function gauge(name: string): u32 {
  return ids.has(name) ? ids.get(name) : remember(name, defineGauge(name));
}

function remember(name: string, id: u32): u32 {
  ids.set(name, id);
  return id;
}

/** The counters of one policy: `tollgate.<policy>.reason.<code>` and `tollgate.<policy>.api.<api>.plan.<plan>.<allowed|refused>`. */
export class Metrics {
  private readonly reasons: StaticArray<u32> = new StaticArray<u32>(REASON_COUNT);
  private offers: StaticArray<u32> = new StaticArray<u32>(0);

  constructor(tables: Tables) {
    const prefix = "tollgate." + toString(tables.policy);
    for (let i = 0; i < REASON_COUNT; i++) this.reasons[i] = counter(prefix + ".reason." + toString(codeOf(<Reason>i)));
    const count = tables.offers.count;
    if (count > MAX_OFFERS) log(LogLevel.Warn, "tollgate: more than " + MAX_OFFERS.toString() + " pairs of API and plan; the rest has no counters");
    this.offers = new StaticArray<u32>(min(count, MAX_OFFERS) * 2);
    for (let i = 0; i < this.offers.length; i += 2) {
      const offer = tables.offers.at(i >> 1);
      const name = prefix + ".api." + toString(tables.apis.at(offer.api).name) + ".plan." + toString(offer.planName);
      this.offers[i] = counter(name + ".allowed");
      this.offers[i + 1] = counter(name + ".refused");
    }
  }

  /** Hands what the tables counted since the last flush to the host. */
  flush(tables: Tables): void {
    if (!tables.uncounted) return;
    tables.uncounted = false;
    for (let i = 0; i < REASON_COUNT; i++) {
      incrementCounter(this.reasons[i], tables.reasonCounts[i]);
      tables.reasonCounts[i] = 0;
    }
    for (let i = 0; i < tables.offers.count; i++) {
      const offer = tables.offers.at(i);
      if (i * 2 < this.offers.length) {
        incrementCounter(this.offers[i * 2], offer.allowed);
        incrementCounter(this.offers[i * 2 + 1], offer.refused);
      }
      offer.allowed = 0;
      offer.refused = 0;
    }
  }
}
