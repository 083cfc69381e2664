import {
  COUNT_COUNT,
  MAX_COUNTED_OFFERS,
  Offer,
  OfferUsage,
  ServiceState,
  REASON_COUNT,
  Reason,
  Rows,
  Tables,
  Usage,
  View,
  begin,
  codeOf,
  counterId,
  end,
  literal,
  writeFormat,
} from "../filter/index";
import { LogLevel, addToGauge, defineCounter, defineGauge, incrementCounter, log } from "./host";

/** A metric of this VM, identified by a digest of its name. */
@unmanaged
class Metric {
  name: u64;
  id: u32;
}

const METRIC_NAME: u8 = 0x4e;
/** Each name is defined only once, however often the policy is edited, because the host never frees an id. */
const known: Rows<Metric> = new Rows<Metric>();

/** The host's id of the counter called `name`, or 0 when it has none to give. */
export function counter(name: View): u32 {
  const metric = find(name);
  if (metric.id == 0) metric.id = defineCounter(name);
  return metric.id;
}

export function gauge(name: View): u32 {
  const metric = find(name);
  if (metric.id == 0) metric.id = defineGauge(name);
  return metric.id;
}

function find(name: View): Metric {
  const digest = counterId(METRIC_NAME, 0, name);
  for (let i = 0; i < known.count; i++) {
    if (known.at(i).name == digest) return known.at(i);
  }
  const metric = known.add();
  metric.name = digest;
  return metric;
}

const TOO_MANY_OFFERS = literal("tollgate: more than 512 pairs of API and plan; the rest has no counters");


@unmanaged
class OfferMetrics {
  allowed: u32;
  refused: u32;
}

/** The counters of one policy: `tollgate.<policy>.reason.<code>` and `tollgate.<policy>.api.<api>.plan.<plan>.<allowed|refused>`. */
export class Metrics {
  private readonly reasons: StaticArray<u32> = new StaticArray<u32>(REASON_COUNT);
  /** Indexed by the number of the usage record. */
  private readonly offers: Rows<OfferMetrics> = new Rows<OfferMetrics>();

  constructor(policy: View) {
    for (let i = 0; i < REASON_COUNT; i++) {
      begin();
      writeFormat(literal("tollgate.%s.reason.%s"), policy, codeOf(<Reason>i));
      this.reasons[i] = counter(end());
    }
  }

  /** Defines counters for the offers of tables, after `holdUsage`. */
  define(tables: Tables): void {
    const count = tables.offers.count;
    if (count > MAX_COUNTED_OFFERS) log(LogLevel.Warn, TOO_MANY_OFFERS);
    for (let i = 0; i < min(count, MAX_COUNTED_OFFERS); i++) {
      const offer = tables.offers.at(i);
      while (this.offers.count <= offer.usage.number) this.offers.add();
      const metrics = this.offers.at(offer.usage.number);
      metrics.allowed = offerCounter(tables, offer, literal("allowed"));
      metrics.refused = offerCounter(tables, offer, literal("refused"));
    }
  }

  /** Passes the counts since the last flush on to the host. */
  flush(usage: Usage): void {
    for (let i = 0; i < REASON_COUNT; i++) {
      incrementCounter(this.reasons[i], usage.reasons[i]);
      usage.reasons[i] = 0;
    }
    let offer: OfferUsage | null = usage.first;
    while (offer != null) {
      const metrics = this.offers.at(offer.number);
      incrementCounter(metrics.allowed, offer.allowed);
      incrementCounter(metrics.refused, offer.refused);
      offer.allowed = 0;
      offer.refused = 0;
      offer = offer.next;
    }
  }
}

function offerCounter(tables: Tables, offer: Offer, outcome: View): u32 {
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
  /** Units held by this Envoy, set by whichever VM finishes a scan. */
  readonly held: u32;
  /** Number of workers whose rate limit service does not answer: each adds itself. */
  private readonly unavailable: u32;
  private isShownDown: bool = false;

  constructor(policy: View) {
    for (let i = 0; i < COUNT_COUNT; i++) this.counters[i] = counter(nameOf(policy, NAMES[i]));
    this.held = gauge(nameOf(policy, literal("held_units")));
    this.unavailable = gauge(nameOf(policy, literal("unavailable")));
  }

  /** Passes the counts since the last flush on to the host. */
  flush(service: ServiceState): void {
    const isDown = service.outage.failures > 0;
    if (isDown != this.isShownDown) addToGauge(this.unavailable, isDown ? 1 : -1);
    this.isShownDown = isDown;
    const tally = service.tally;
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
