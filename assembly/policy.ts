import {
  ABSENT,
  Keyring,
  NANOSECONDS,
  SECRET_BYTES,
  Tables,
  View,
  begin,
  decodeConfig,
  end,
  forgetPositions,
  holdUsage,
  lengthOf,
  literal,
  pointerOf,
  releaseUsage,
  resetArena,
  sweep,
  useEvidence,
  useSecret,
  writeFormat,
} from "../filter/index";
import { expireCalls, releaseCalls } from "./callout";
import {
  Account,
  Policy,
  Root,
  TICK_MILLISECONDS,
  closeRoot,
  findRoot,
  forgetKept,
  isInForce,
  isServed,
  openAccount,
  openRoot,
} from "./context";
import {
  LogLevel,
  currentTimeNanoseconds,
  fillRandom,
  log,
  pluginConfiguration,
  setEffectiveContext,
  setGauge,
  setTickPeriod,
} from "./host";
import { HostEvidence } from "./evidence";
import { zonesGauge } from "./metrics";
import { RateLimitService } from "./rateLimitService";
import { scanFlights } from "./sharedShards";
import { resumeWaiting } from "./waiting";

useEvidence(new HostEvidence());

const MAX_CONFIG_BYTES: u32 = 16 * 1024 * 1024;
const TOO_LONG = literal("plugin config: must have at most 16777216 bytes");

const SECRET: usize = memory.data(SECRET_BYTES, 8);

/** Draws what keeps this VM's hashes from being aimed at. Without it every key's digest is computed for every request. */
export function drawSecret(): void {
  if (fillRandom(SECRET, SECRET_BYTES)) useSecret(SECRET);
}

/** Puts the root's plugin config in force; false when it is refused, and then the old one keeps serving. */
export function configure(rootId: u32, size: u32): bool {
  if (size > MAX_CONFIG_BYTES) return refuse(TOO_LONG);
  const document = size == 0 ? ABSENT : pluginConfiguration(size);
  if (document == ABSENT) return refuse(literal("plugin config: is empty"));
  const decoded = decodeConfig(pointerOf(document), lengthOf(document));
  const tables = decoded.tables;
  const keyring = decoded.keyring;
  if (tables == null || keyring == null) return refuse(decoded.problem);
  // Frees the document, the largest value from the host: nothing points into it any more.
  resetArena();

  const account = openAccount(tables.policy);
  if (
    !account.heartbeat.create() ||
    !account.pool.create() ||
    (tables.hasVisitors && !account.openVisitors()) ||
    (tables.countsFlights && !account.openFlights()) ||
    (tables.rateLimitService.cluster != ABSENT && !account.stocks.create())
  ) {
    tables.free();
    keyring.free();
    return refuse(literal("the host keeps no shared data, which quotas need"));
  }
  if (tables.rateLimitService.cluster != ABSENT && account.rateLimitService == null)
    account.rateLimitService = new RateLimitService(account.policy, account.counters.service);
  const root = openRoot(rootId);
  install(root, new Policy(tables, keyring, account));
  const rateLimitService = account.rateLimitService;
  if (rateLimitService != null) rateLimitService.open(tables);
  setTickPeriod(TICK_MILLISECONDS);
  log(LogLevel.Info, describe(tables, keyring));
  return true;
}

function refuse(problem: View): bool {
  begin();
  writeFormat(literal("tollgate: %s"), problem);
  log(LogLevel.Error, end());
  return false;
}

function describe(tables: Tables, keyring: Keyring): View {
  begin();
  writeFormat(
    literal("tollgate: policy %s in force: %d APIs, %d plans, "),
    tables.policy,
    tables.apis.count,
    tables.plans.count,
  );
  writeFormat(literal("%d consumers, %d keys"), tables.consumers.count, keyring.keys.count);
  return end();
}

/** Puts a policy in force on a root; the one that it replaces is flushed and freed. */
function install(root: Root, policy: Policy): void {
  const account = policy.account;
  holdUsage(policy.tables, account.usage);
  account.metrics.define(policy.tables);
  vacate(root);
  root.policy = policy;
  setGauge(policy.info, 1);
  if (policy.tables.calendars.zones.count > 0 && account.zonesEnded == 0)
    account.zonesEnded = zonesGauge(account.policy);
  if (account.zonesEnded != 0) tellZones(policy, currentTimeNanoseconds());
}

/** Tells how many zones the config no longer knows; of a policy that had zones once, that there are none. */
function tellZones(policy: Policy, now: i64): void {
  setGauge(policy.account.zonesEnded, policy.tables.calendars.endedBy(now / NANOSECONDS));
}

/** A root's periodic work: waiting requests first; then, once per normal period, heartbeat, idle leases and metrics. */
export function onTick(root: Root): void {
  const waits = resumeWaiting();
  if (!root.isWorkDue()) return;
  // The host's current context may be a stream that was just resumed.
  setEffectiveContext(root.id);
  if (!waits) root.calm();
  const policy = root.policy;
  if (policy == null) return;
  const account = policy.account;
  account.metrics.flush(policy.tables, account.usage, false);
  // Another VM may have let go of the same policy.
  setGauge(policy.info, 1);
  const counters = account.counters;
  const now = currentTimeNanoseconds();
  if (account.zonesEnded != 0) tellZones(policy, now);
  resetArena();
  account.heartbeat.send(now);
  if (counters.balances.count > 0) sweep(counters, now);
  const visitors = counters.visitors;
  if (visitors != null) {
    if (visitors.balances.count > 0) sweep(visitors, now);
    account.metrics.flushCrowded(visitors);
  }
  tickFlights(account, now);
  expireCalls(now);
  const rateLimitService = account.rateLimitService;
  if (rateLimitService != null) rateLimitService.onTick(account.stocks, now);
}

/** Writes what of the requests in flight is not written, and tells how many there are. */
function tickFlights(account: Account, now: i64): void {
  const shards = account.flights;
  const flights = account.counters.flights;
  if (shards == null || flights == null) return;
  if (account.heartbeat.wasMissing) {
    account.heartbeat.wasMissing = false;
    flights.forgetWritten();
  }
  flights.settle();
  scanFlights(shards, flights, account.inFlight, now);
}

/** Frees a root that the host has deleted; false when there is none with this id. */
export function closePolicy(rootId: u32): bool {
  const root = findRoot(rootId);
  if (root == null) return false;
  const policy = root.policy;
  vacate(root);
  closeRoot(root);
  if (policy != null && !isServed(policy.account)) policy.account.heartbeat.stop(currentTimeNanoseconds());
  releaseCalls(rootId, null);
  return true;
}

/** Removes a root's policy. Its counts are flushed first, because a root that ends gets no further tick. */
function vacate(root: Root): void {
  const policy = root.policy;
  if (policy == null) return;
  policy.account.metrics.flush(policy.tables, policy.account.usage, true);
  releaseUsage(policy.tables);
  forgetKept(root.id);
  forgetPositions(root.id);
  root.policy = null;
  if (!isInForce(policy.info)) setGauge(policy.info, 0);
  policy.tables.free();
  policy.keyring.free();
}
