import { COUNT_COUNT, Counters, View, toString } from "../filter/index";
import { addToGauge, incrementCounter } from "./host";
import { counter, gauge } from "./metrics";

/** In the order of Count. */
const NAMES: StaticArray<string> = [
  "asked", "asked_units", "granted_units", "refused", "failed", "unlimited", "returned_units", "waits", "wait_milliseconds",
  "wait_timeouts", "allowed_unavailable", "denied_unavailable", "local_share",
];

/** The metrics of one policy's ledger: `tollgate.<policy>.ledger.<name>`. */
export class LedgerMetrics {
  private readonly counters: StaticArray<u32> = new StaticArray<u32>(COUNT_COUNT);
  /** Units held by this Envoy, set by whichever VM has counted them. */
  readonly held: u32;
  /** Workers whose ledger does not answer: each adds itself. */
  private readonly unavailable: u32;
  private isShownDown: bool = false;

  constructor(policy: View) {
    const prefix = "tollgate." + toString(policy) + ".ledger.";
    for (let i = 0; i < COUNT_COUNT; i++) this.counters[i] = counter(prefix + NAMES[i]);
    this.held = gauge(prefix + "held_units");
    this.unavailable = gauge(prefix + "unavailable");
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
