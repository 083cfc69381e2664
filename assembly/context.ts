import {
  Counters,
  Flights,
  Keyring,
  MAX_QUOTAS,
  NONE,
  Standing,
  Tables,
  Usage,
  View,
  equals,
  isForgeable,
  lengthOf,
  pointerOf,
  view,
} from "../filter/index";
import { Heartbeat } from "./heartbeat";
import { setTickPeriod } from "./host";
import { RequestMetrics, flightsGauge, infoGauge } from "./metrics";
import { RateLimitService } from "./rateLimitService";
import { SharedShards, flightsOf, poolOf, stocksOf, visitorsOf } from "./sharedShards";

/**
 * What this VM keeps for a policy by its name, whatever tables are in force: an edit makes a new root, which goes on with the same
 * balances while the old one drains. An account is never freed.
 */
export class Account {
  readonly pool: SharedShards;
  readonly stocks: SharedShards;
  readonly counters: Counters;
  readonly usage: Usage = new Usage();
  readonly metrics: RequestMetrics;
  readonly heartbeat: Heartbeat;
  /** Created once a policy of this name has a rate limit service. */
  rateLimitService: RateLimitService | null = null;
  /** The gauge that tells of zones that a config no longer knows, or 0 as long as no policy of this name had zones. */
  zonesEnded: u32 = 0;
  /** Created once a policy of this name has a plan for callers without a key. */
  visitors: SharedShards | null = null;
  /** Created once a policy of this name limits the requests in flight, with the gauge that tells how many there are. */
  flights: SharedShards | null = null;
  inFlight: u32 = 0;
  next: Account | null = null;
  constructor(readonly policy: View) {
    const pool = poolOf(policy);
    const stocks = stocksOf(policy);
    this.pool = pool;
    this.stocks = stocks;
    this.counters = new Counters(pool, stocks);
    this.metrics = new RequestMetrics(policy);
    this.heartbeat = new Heartbeat(policy);
  }

  /** Makes the counters of callers without a key; false when the host does not store them. */
  openVisitors(): bool {
    if (this.visitors != null) return true;
    const shards = visitorsOf(this.policy);
    if (!shards.create()) return false;
    this.visitors = shards;
    const visitors = new Counters(shards, this.stocks);
    visitors.flights = this.counters.flights;
    this.counters.visitors = visitors;
    return true;
  }

  /** Makes what counts requests in flight; false when the host does not store it. */
  openFlights(): bool {
    if (this.flights != null) return true;
    const shards = flightsOf(this.policy);
    if (!shards.create()) return false;
    this.flights = shards;
    this.inFlight = flightsGauge(this.policy);
    const flights = new Flights(shards, this.heartbeat);
    this.counters.flights = flights;
    const visitors = this.counters.visitors;
    if (visitors != null) visitors.flights = flights;
    return true;
  }
}

let firstAccount: Account | null = null;

/** The account of the policy called `name`, shared by all its roots in this VM; created if there is none. */
export function openAccount(name: View): Account {
  let account: Account | null = firstAccount;
  while (account != null) {
    if (equals(account.policy, name)) return account;
    account = account.next;
  }
  const pointer = heap.alloc(lengthOf(name));
  memory.copy(pointer, pointerOf(name), lengthOf(name));
  const opened = new Account(view(pointer, lengthOf(name)));
  opened.next = firstAccount;
  firstAccount = opened;
  return opened;
}

/** A policy in force: its decoded plugin config, and the account kept under its name. */
export class Policy {
  /** The gauge that tells which policy is in force. */
  readonly info: u32;
  constructor(
    readonly tables: Tables,
    readonly keyring: Keyring,
    readonly account: Account,
  ) {
    this.info = infoGauge(tables);
  }
}

/** The normal tick period, in which leases are given back and metrics flushed. */
export const TICK_MILLISECONDS = 250;
/** Ticks per normal period while requests wait. */
const FAST_TICKS = 125;

/** One root context; it has a policy once it is configured. */
export class Root {
  policy: Policy | null = null;
  older: Root | null = null;
  private isHurried: bool = false;
  private ticksToWork: i32 = 1;
  constructor(readonly id: u32) {}

  /** Switches to fast ticks, because a request waits. */
  hurry(): void {
    if (this.isHurried) return;
    this.isHurried = true;
    this.ticksToWork = FAST_TICKS;
    setTickPeriod(TICK_MILLISECONDS / FAST_TICKS);
  }

  /** Returns to the normal tick period; the host's current context must be the root. */
  calm(): void {
    if (!this.isHurried) return;
    this.isHurried = false;
    this.ticksToWork = 1;
    setTickPeriod(TICK_MILLISECONDS);
  }

  /** To be called on each tick: true once per normal period, however fast ticks come. */
  isWorkDue(): bool {
    if (--this.ticksToWork > 0) return false;
    this.ticksToWork = this.isHurried ? FAST_TICKS : 1;
    return true;
  }
}

/** The policy of the root with this id, or null. */
export function policyOf(rootId: u32): Policy | null {
  const root = findRoot(rootId);
  return root == null ? null : root.policy;
}

/** The newest root, which most requests belong to; each links to the one before it. */
let newest: Root | null = null;

export function findRoot(id: u32): Root | null {
  let root: Root | null = newest;
  while (root != null && root.id != id) root = root.older;
  return root;
}

/** The root with this id, created if there is none. */
export function openRoot(id: u32): Root {
  const known = findRoot(id);
  if (known != null) return known;
  const root = new Root(id);
  root.older = newest;
  newest = root;
  return root;
}

export function closeRoot(gone: Root): void {
  if (newest == gone) newest = gone.older;
  let root: Root | null = newest;
  while (root != null) {
    if (root.older == gone) root.older = gone.older;
    root = root.older;
  }
}

/** True while some root of this VM serves the account's policy. */
export function isServed(account: Account): bool {
  let root: Root | null = newest;
  while (root != null) {
    const policy = root.policy;
    if (policy != null && policy.account == account) return true;
    root = root.older;
  }
  return false;
}

/** True for a header by which a policy of this VM tells upstreams who calls; a stream's own may be forgotten when its trailers come. */
export function tellsUpstreams(name: View): bool {
  let root: Root | null = newest;
  while (root != null) {
    const policy = root.policy;
    if (policy != null && isForgeable(policy.tables, name)) return true;
    root = root.older;
  }
  return false;
}

/** True while some root of this VM has a policy that this gauge tells of. */
export function isInForce(info: u32): bool {
  let root: Root | null = newest;
  while (root != null) {
    const policy = root.policy;
    if (policy != null && policy.info == info) return true;
    root = root.older;
  }
  return false;
}

/**
 * What is kept for a stream between its callbacks: its root, and what its response will show. Context ids count up, and a stream's slot
 * is its id modulo the table's size. The table doubles when streams in flight collide, up to a bound; beyond it, the older stream's
 * slot is overwritten, which costs it only its RateLimit, deprecation and CORS headers.
 */
@unmanaged
export class Stream {
  id: u32;
  rootId: u32;
  /** The plan whose standings follow, and the operation with quotas of its own; NONE where there is none. In the decision's order. */
  plan: i32;
  charged: i32;
  /** The lifecycle whose deprecation the response shows, or NONE; and what its decision says of the origin. In the decision's order. */
  lifecycle: i32;
  origin: i32;
  /** When the key ends; meaningful where the number of the lifecycle tells that it does. */
  keyUntil: i64;
}

const HEADER_BYTES: usize = 32;
const STREAM_BYTES: usize = HEADER_BYTES + MAX_QUOTAS * offsetof<Standing>();
const FIRST_CAPACITY: u32 = 64;
const MAX_CAPACITY: u32 = 4096;

let capacity: u32 = FIRST_CAPACITY;
let base: usize = newTable(FIRST_CAPACITY);

function newTable(size: u32): usize {
  const bytes = <usize>size * STREAM_BYTES;
  const table = heap.alloc(bytes);
  memory.fill(table, 0, bytes);
  return table;
}

// @ts-ignore: decorator
@inline
function at(slot: u32): Stream {
  return changetype<Stream>(base + <usize>slot * STREAM_BYTES);
}

// @ts-ignore: decorator
@inline
function slotOf(id: u32): Stream {
  return at(id & (capacity - 1));
}

/** Takes the stream's slot. Context ids begin at 1; 0 marks a free slot. */
export function openStream(id: u32, rootId: u32): void {
  let stream = slotOf(id);
  while (stream.id != 0 && capacity < MAX_CAPACITY) {
    grow();
    stream = slotOf(id);
  }
  stream.id = id;
  stream.rootId = rootId;
  // Plan and operation at once; lifecycle and origin at once.
  store<i64>(changetype<usize>(stream), -1, offsetof<Stream>("plan"));
  store<i64>(changetype<usize>(stream), -1, offsetof<Stream>("lifecycle"));
}

/** The stream with this id, or null when it has ended or its slot was overwritten. */
export function findStream(id: u32): Stream | null {
  const stream = slotOf(id);
  return stream.id == id && id != 0 ? stream : null;
}

/** True when the response shows standings. */
export function showsStandings(stream: Stream): bool {
  return load<i64>(changetype<usize>(stream), offsetof<Stream>("plan")) != -1;
}

export function closeStream(stream: Stream): void {
  stream.id = 0;
}

/** Frees the slot of a stream that has ended; false when it has none. */
export function endStream(id: u32): bool {
  const stream = findStream(id);
  if (stream == null) return false;
  closeStream(stream);
  return true;
}

/** Where the stream's standings are kept. */
export function standingsOf(stream: Stream): usize {
  return changetype<usize>(stream) + HEADER_BYTES;
}

/** Drops what is kept for the responses of a root's streams, because the tables that it refers to are being freed. */
export function forgetKept(rootId: u32): void {
  for (let i: u32 = 0; i < capacity; i++) {
    if (at(i).rootId != rootId) continue;
    at(i).plan = NONE;
    at(i).charged = NONE;
    at(i).origin = NONE;
    at(i).lifecycle = NONE;
  }
}

function grow(): void {
  const old = base;
  const count = capacity;
  capacity = count * 2;
  base = newTable(capacity);
  // Ids that differ modulo the old size differ modulo the new one.
  for (let i: u32 = 0; i < count; i++) {
    const stream = changetype<Stream>(old + <usize>i * STREAM_BYTES);
    if (stream.id == 0) continue;
    memory.copy(changetype<usize>(slotOf(stream.id)), changetype<usize>(stream), STREAM_BYTES);
  }
  heap.free(old);
}
