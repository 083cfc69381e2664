import { COUNT_COUNT, Counters, View, begin, end, literal, writeFormat } from "../filter/index";
import { addToGauge, incrementCounter } from "./host";
import { counter, gauge } from "./metricIds";

/** In the order of Count. */
const NAMES: StaticArray<View> = [
  literal("asked"),
  literal("asked_units"),
  literal("granted_units"),
  literal("refused"),
  literal("failed"),
  literal("unlimited"),
  literal("returned_units"),
  literal("waits"),
  literal("wait_milliseconds"),
  literal("wait_timeouts"),
  literal("allowed_unavailable"),
  literal("denied_unavailable"),
  literal("local_share"),
];

/** The metrics of one policy's rate limit service: `tollgate.<policy>.rate_limit_service.<name>`. */
export class RateLimitServiceMetrics {
  private readonly counters: StaticArray<u32> = new StaticArray<u32>(COUNT_COUNT);
  /** Units held by this Envoy, set by whichever VM has counted them. */
  readonly held: u32;
  /** Workers whose rate limit service does not answer: each adds itself. */
  private readonly unavailable: u32;
  private isShownDown: bool = false;

  constructor(policy: View) {
    for (let i = 0; i < COUNT_COUNT; i++) this.counters[i] = counter(nameOf(policy, NAMES[i]));
    this.held = gauge(nameOf(policy, literal("held_units")));
    this.unavailable = gauge(nameOf(policy, literal("unavailable")));
  }

  /** Hands what was counted since the last flush to the host. */
  flush(counters: Counters): void {
    const isDown = counters.outage.failures > 0;
    if (isDown != this.isShownDown) addToGauge(this.unavailable, isDown ? 1 : -1);
    this.isShownDown = isDown;
    const tally = counters.tally;
    if (!tally.pending) return;
    tally.pending = false;
    for (let i = 0; i < COUNT_COUNT; i++) {
      incrementCounter(this.counters[i], tally.counts[i]);
      tally.counts[i] = 0;
    }
  }
}

function nameOf(policy: View, name: View): View {
  begin();
  writeFormat(literal("tollgate.%s.rate_limit_service.%s"), policy, name);
  return end();
}
