import {
  Counters,
  ABSENT,
  ALLOWED,
  CELL_COUNT,
  COUNT_COUNT,
  Count,
  MAX_COUNTED,
  MAX_WARNINGS,
  NONE,
  QuotaList,
  Rows,
  ServiceState,
  Slots,
  Tables,
  Usage,
  UsageRow,
  View,
  WARNING,
  begin,
  codeOf,
  digestOf,
  end,
  literal,
  numberText,
  quotaOfCell,
  reasonOfCell,
  writeView,
} from "../filter/index";
import { LogLevel, addToGauge, defineCounter, defineGauge, incrementCounter, log } from "./host";
import * as Name from "./metricName";

/** A series of this VM, by a digest of its whole name. */
@unmanaged
class Series {
  digest: u64;
  metric: u32;
}

/** A series is defined once, however often the policy is edited: the host never forgets one. */
const known: Rows<Series> = new Rows<Series>();
const index: Slots = new Slots();
const TOO_MANY_SERIES = literal("tollgate: more than 8192 series of metrics in one VM: new ones are not shown");

/** The host's id of the counter with this name, or 0 when it has none to give. */
export function counter(name: View): u32 {
  return metricOf(name, false);
}

export function gauge(name: View): u32 {
  return metricOf(name, true);
}

function metricOf(name: View, isGauge: bool): u32 {
  const digest = digestOf(name);
  for (let i = index.first(<u32>digest); i >= 0; i = index.next()) {
    if (known.at(i).digest == digest) return known.at(i).metric;
  }
  if (known.count == Name.MAX_SERIES) return 0;
  if (known.count == index.capacity) {
    index.reset(max(64, index.capacity * 2));
    for (let i = 0; i < known.count; i++) index.put(<u32>known.at(i).digest, i);
  }
  index.put(<u32>digest, known.count);
  const series = known.add();
  series.digest = digest;
  series.metric = isGauge ? defineGauge(name) : defineCounter(name);
  if (known.count == Name.MAX_SERIES) log(LogLevel.Warn, TOO_MANY_SERIES);
  return series.metric;
}

/** Begins the name of a series of `policy`: labels, each ended by `endLabel`, then `endName`. */
export function beginName(policy: View): void {
  begin(512);
  label(Name.POLICY, policy);
}

export function label(name: View, value: View): void {
  writeView(name);
  writeView(Name.LABEL_EQUALS);
  writeView(value);
  writeView(Name.LABEL_END);
}

export function endName(name: View): View {
  writeView(name);
  return end();
}

/** Series that one flush defines at most: each takes the host some ten microseconds. The others wait for the next. */
const MAX_DEFINED_PER_FLUSH = 64;
/** In place of the name of an API, plan or quota that is not counted apart. */
const ANY = literal("*");

/** A series that has not been defined yet; 0 is one that the host cannot show. */
const UNKNOWN: u32 = 0xffffffff;

/** The host's ids of a usage row's series. */
@unmanaged
class RowMetrics {
  /** Of the row when the ids were found; a row may be given to other names. */
  rowId: u64;
  /** Ids in an array by cell. */
  ids: usize;
}

/** The series `tollgate_requests_total`, `tollgate_operation_requests_total` and `tollgate_observed_total` of one policy. */
export class RequestMetrics {
  /** By the number of the usage row. */
  private readonly rows: Rows<RowMetrics> = new Rows<RowMetrics>();
  private toDefine: i32 = 0;
  private crowded: u32 = UNKNOWN;
  /** The name of the series that are being flushed. */
  private series: View = Name.REQUESTS_TOTAL;

  constructor(private readonly policy: View) {}

  /** Defines what every operator looks for: allowed requests of each pair of API and plan, 0 until one comes. */
  define(tables: Tables): void {
    this.toDefine = i32.MAX_VALUE;
    for (let i = 0; i < min(tables.offers.count, MAX_COUNTED); i++) {
      const offer = tables.offers.at(i);
      const plan = tables.plans.at(offer.plan);
      this.idOf(tables, offer.usage, tables.apis.at(offer.api).name, ABSENT, plan.name, plan, ALLOWED);
    }
  }

  /** The same for visitors without a place; the series is there as soon as the policy may have visitors. */
  flushCrowded(visitors: Counters): void {
    if (this.crowded == UNKNOWN) {
      beginName(this.policy);
      this.crowded = counter(endName(Name.ANONYMOUS_CROWDED_TOTAL));
    }
    if (visitors.crowded > 0) incrementCounter(this.crowded, visitors.crowded);
    visitors.crowded = 0;
  }

  /** Hands what was counted under these tables to the host; all of it at once if it `isLast`. */
  flush(tables: Tables, usage: Usage, isLast: bool): void {
    this.toDefine = isLast ? i32.MAX_VALUE : MAX_DEFINED_PER_FLUSH;
    this.flushRow(tables, usage.none, ABSENT, ABSENT, ABSENT, null);
    this.flushRow(tables, usage.rest, ANY, ABSENT, ABSENT, null);
    this.flushRow(tables, usage.restOfOperations, ANY, ANY, ABSENT, null);
    for (let i = 0; i < min(tables.apis.count, MAX_COUNTED); i++) {
      const api = tables.apis.at(i);
      this.flushRow(tables, api.usage, api.name, ABSENT, ABSENT, null);
    }
    this.flushOperations(tables);
    for (let i = 0; i < min(tables.offers.count, MAX_COUNTED); i++) {
      const offer = tables.offers.at(i);
      const plan = tables.plans.at(offer.plan);
      this.flushRow(tables, offer.usage, tables.apis.at(offer.api).name, ABSENT, plan.name, plan);
    }
    if (tables.observes) this.flushObserved(tables, usage);
    if ((tables.rateLimitHeaders & WARNING) != 0) this.flushWarnings(tables, usage);
  }

  private flushWarnings(tables: Tables, usage: Usage): void {
    this.flushReached(usage.restOfWarnings, ANY, ANY, 0);
    for (let i = 0; i < tables.plans.count; i++) {
      const plan = tables.plans.at(i);
      if (!plan.warns) continue;
      for (let q = plan.firstQuota; q < plan.firstQuota + plan.quotaCount; q++) {
        const quota = tables.quotas.at(q);
        if (quota.isWarningCounted) this.flushReached(quota.warnings, plan.name, quota.name, quota.warnAt);
      }
    }
  }

  /** What a quota has counted of each of its percentages. */
  private flushReached(row: UsageRow, plan: View, quota: View, warnAt: u32): void {
    if (!row.isPending) return;
    row.isPending = false;
    for (let k = 0; k < MAX_WARNINGS; k++) {
      const count = row.countAt(k);
      if (count == 0) continue;
      const at = this.placeOf(row, k);
      if (load<u32>(at) == UNKNOWN && this.toDefine > 0) {
        this.toDefine--;
        const percent = (warnAt >> (8 * k)) & 0xff;
        const text = percent == 0 ? ANY : numberText(percent);
        beginName(this.policy);
        label(Name.PLAN, plan);
        label(Name.QUOTA, quota);
        label(Name.PERCENT, text);
        store<u32>(at, counter(endName(Name.QUOTA_WARNINGS_TOTAL)));
      }
      if (load<u32>(at) == UNKNOWN) {
        row.isPending = true;
        continue;
      }
      incrementCounter(load<u32>(at), count);
      row.clear(k);
    }
  }

  private flushObserved(tables: Tables, usage: Usage): void {
    this.series = Name.OBSERVED_TOTAL;
    this.flushRow(tables, usage.observedNone, ABSENT, ABSENT, ABSENT, null);
    this.flushRow(tables, usage.observedRest, ANY, ABSENT, ABSENT, null);
    for (let i = 0; i < min(tables.apis.count, MAX_COUNTED); i++) {
      const api = tables.apis.at(i);
      this.flushRow(tables, api.observed, api.name, ABSENT, ABSENT, null);
    }
    for (let i = 0; i < min(tables.offers.count, MAX_COUNTED); i++) {
      const offer = tables.offers.at(i);
      const plan = tables.plans.at(offer.plan);
      this.flushRow(tables, offer.observed, tables.apis.at(offer.api).name, ABSENT, plan.name, plan);
    }
    this.series = Name.REQUESTS_TOTAL;
  }

  private flushOperations(tables: Tables): void {
    let i = 0;
    for (let a = 0; a < tables.apis.count && i < MAX_COUNTED; a++) {
      const api = tables.apis.at(a);
      for (const last = min(i + api.operationCount, MAX_COUNTED); i < last; i++) {
        const operation = tables.operations.at(i);
        this.flushRow(tables, operation.usage, api.name, operation.name, ABSENT, operation);
      }
    }
  }

  /** The quotas that the row counts by number are those of `list`. */
  private flushRow(
    tables: Tables,
    row: UsageRow,
    api: View,
    operation: View,
    plan: View,
    list: QuotaList | null,
  ): void {
    if (!row.isPending) return;
    row.isPending = false;
    for (let cell = 0; cell < CELL_COUNT; cell++) {
      const count = row.countAt(cell);
      if (count == 0) continue;
      const metric = this.idOf(tables, row, api, operation, plan, list, cell);
      if (metric == UNKNOWN) {
        row.isPending = true;
        continue;
      }
      incrementCounter(metric, count);
      row.clear(cell);
    }
  }

  /** The id of a cell's series; UNKNOWN when it has to be defined and this flush has defined enough. */
  private idOf(
    tables: Tables,
    row: UsageRow,
    api: View,
    operation: View,
    plan: View,
    list: QuotaList | null,
    cell: i32,
  ): u32 {
    const at = this.placeOf(row, cell);
    if (load<u32>(at) == UNKNOWN && this.toDefine > 0) {
      this.toDefine--;
      store<u32>(at, counter(this.nameOf(tables, api, operation, plan, list, cell)));
    }
    return load<u32>(at);
  }

  /** Where the id of a cell's series stands. */
  private placeOf(row: UsageRow, cell: i32): usize {
    while (this.rows.count <= row.number) this.rows.add();
    const metrics = this.rows.at(row.number);
    const isNew = metrics.ids == 0;
    if (isNew) metrics.ids = heap.alloc((<usize>CELL_COUNT) << 2);
    if (isNew || metrics.rowId != row.id) memory.fill(metrics.ids, 0xff, (<usize>CELL_COUNT) << 2);
    metrics.rowId = row.id;
    return metrics.ids + ((<usize>cell) << 2);
  }

  private nameOf(tables: Tables, api: View, operation: View, plan: View, list: QuotaList | null, cell: i32): View {
    beginName(this.policy);
    if (api != ABSENT) label(Name.API, api);
    if (operation != ABSENT) label(Name.OPERATION, operation);
    if (plan != ABSENT) label(Name.PLAN, plan);
    label(Name.REASON, codeOf(reasonOfCell(cell)));
    const quota = quotaOfCell(cell);
    if (quota != NONE) label(Name.QUOTA, list == null ? ANY : tables.quotas.at(list.firstQuota + quota).name);
    return endName(operation == ABSENT ? this.series : Name.OPERATION_REQUESTS_TOTAL);
  }
}

/** The series `tollgate_info` of one plugin config. */
export function infoGauge(tables: Tables): u32 {
  beginName(tables.policy);
  label(Name.VERSION, Name.MODULE_VERSION);
  if (tables.digest != ABSENT) label(Name.DIGEST, tables.digest);
  return gauge(endName(Name.INFO));
}

/** The series `tollgate_zones_ended` of one policy. */
export function zonesGauge(policy: View): u32 {
  beginName(policy);
  return gauge(endName(Name.ZONES_ENDED));
}

/** The series `tollgate_requests_in_flight` of one policy. */
export function flightsGauge(policy: View): u32 {
  beginName(policy);
  return gauge(endName(Name.REQUESTS_IN_FLIGHT));
}

/** In the order of Count. */
const NAMES: StaticArray<View> = [
  Name.RATE_LIMIT_SERVICE_CALLS_TOTAL,
  Name.RATE_LIMIT_SERVICE_REQUESTED_UNITS_TOTAL,
  Name.RATE_LIMIT_SERVICE_GRANTED_UNITS_TOTAL,
  Name.RATE_LIMIT_SERVICE_REFUSALS_TOTAL,
  Name.RATE_LIMIT_SERVICE_FAILURES_TOTAL,
  Name.RATE_LIMIT_SERVICE_UNLIMITED_TOTAL,
  Name.RATE_LIMIT_SERVICE_RETURNED_UNITS_TOTAL,
  Name.WAITS_TOTAL,
  Name.WAIT_MILLISECONDS_TOTAL,
  Name.WAIT_TIMEOUTS_TOTAL,
  Name.QUOTA_UNAVAILABLE_TOTAL,
  Name.QUOTA_UNAVAILABLE_TOTAL,
  Name.QUOTA_UNAVAILABLE_TOTAL,
];
/** The label `mode` of those that have it, the last in `NAMES`, in their order. */
const MODES: StaticArray<View> = [literal("allow"), literal("deny"), literal("local-share")];
const FIRST_MODE: i32 = <i32>Count.AllowedUnavailable;

/** The series of one policy's rate limit service. */
export class RateLimitServiceMetrics {
  private readonly counters: StaticArray<u32> = new StaticArray<u32>(COUNT_COUNT);
  /** Units held by this Envoy, set by whichever VM has counted them. */
  readonly held: u32;
  /** VMs whose rate limit service does not answer: each adds itself. */
  private readonly unavailable: u32;
  private isShownDown: bool = false;

  constructor(policy: View) {
    for (let i = 0; i < COUNT_COUNT; i++) {
      beginName(policy);
      if (i >= FIRST_MODE) label(Name.MODE, MODES[i - FIRST_MODE]);
      this.counters[i] = counter(endName(NAMES[i]));
    }
    beginName(policy);
    this.held = gauge(endName(Name.RATE_LIMIT_SERVICE_HELD_UNITS));
    beginName(policy);
    this.unavailable = gauge(endName(Name.RATE_LIMIT_SERVICE_UNAVAILABLE_VMS));
  }

  /** Hands what was counted since the last flush to the host. */
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
