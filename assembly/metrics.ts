import { REASON_COUNT, Reason, Tables, View, begin, codeOf, end, literal, writeFormat } from "../filter/index";
import { LogLevel, incrementCounter, log } from "./host";
import { counter } from "./metricIds";

/** Pairs of API and plan that get counters of their own; the host never forgets a metric. */
const MAX_OFFERS = 512;
const TOO_MANY_OFFERS = literal("tollgate: more than 512 pairs of API and plan; the rest has no counters");

/** The counters of one policy: `tollgate.<policy>.reason.<code>` and `tollgate.<policy>.api.<api>.plan.<plan>.<allowed|refused>`. */
export class Metrics {
  private readonly reasons: StaticArray<u32> = new StaticArray<u32>(REASON_COUNT);
  private offers: StaticArray<u32> = new StaticArray<u32>(0);

  constructor(tables: Tables) {
    for (let i = 0; i < REASON_COUNT; i++) {
      begin();
      writeFormat(literal("tollgate.%s.reason.%s"), tables.policy, codeOf(<Reason>i));
      this.reasons[i] = counter(end());
    }
    const count = tables.offers.count;
    if (count > MAX_OFFERS) log(LogLevel.Warn, TOO_MANY_OFFERS);
    this.offers = new StaticArray<u32>(min(count, MAX_OFFERS) * 2);
    for (let i = 0; i < this.offers.length; i += 2) {
      this.offers[i] = offerCounter(tables, i >> 1, literal("allowed"));
      this.offers[i + 1] = offerCounter(tables, i >> 1, literal("refused"));
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

function offerCounter(tables: Tables, index: i32, outcome: View): u32 {
  const offer = tables.offers.at(index);
  begin();
  writeFormat(
    literal("tollgate.%s.api.%s.plan.%s.%s"),
    tables.policy,
    tables.apis.at(offer.api).name,
    offer.planName,
    outcome,
  );
  return counter(end());
}
