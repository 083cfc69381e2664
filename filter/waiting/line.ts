import { resetArena } from "../bytes/arena";
import { Call, Claim, Counter, Prospect, claim, counterOf, prospect } from "../rateLimitService/call";
import { ServiceState } from "../rateLimitService/service";
import { NONE } from "../bytes/rows";
import { CHAIN_BYTES, Chain, Pool, insertAfter, nextIn, remove } from "./chain";

/**
 * What the requests in a line wait for. A decision that finds the counter dry again sends its line back to `ToAsk`.
 *
 *   ToAsk ── in a call of this VM ──▶ Asked ── answered, failed or released ──▶ Ready
 *     │ ▲ somebody else asks                                                      ▲ ▲
 *     │ └───── nobody asks any more ──┐                                           │ │
 *     ├───────────────────────────▶ Elsewhere ── something has come of it ────────┘ │
 *     └── there is something to go by already, or the tables are new ───────────────┘
 */
export const enum LineState {
  /** A call that has yet to begin. */
  ToAsk,
  /** The answer to a call of this VM, which makes the line ready: it is in no chain of a state. */
  Asked,
  /** The answer to another worker's call, which this VM does not hear of: it has to look. */
  Elsewhere,
  /** Its turn: something may have changed. */
  Ready,
}

/** The requests that wait for one counter in this VM, in the order in which they came. */
@unmanaged
export class Line extends Counter {
  /** The root whose tables the counter's positions are of, and which calls for it. `plan` is NONE once those tables are gone. */
  rootId: u32;
  state: LineState;
  count: i32;
  /** A `Chain`: its waiters. */
  waiters: u64;
  /** A `Link` each: the place among the lines of its state, and in its bucket. */
  stateLink: u64;
  bucketLink: u64;
}

/** Requests that may wait in a VM. */
export const MAX_WAITERS = 1024;
/** A waiter that changes lines opens the new one first. */
const MAX_LINES = MAX_WAITERS + 1;
const BUCKET_COUNT: u32 = 256;
const STATE_LINK: usize = offsetof<Line>("stateLink");
const BUCKET_LINK: usize = offsetof<Line>("bucketLink");

const pool: Pool = new Pool(MAX_LINES, offsetof<Line>());
const STATES: usize = memory.data(4 * CHAIN_BYTES, 8);
const BUCKETS: usize = memory.data(BUCKET_COUNT * CHAIN_BYTES, 8);

/** Lines for which a call has yet to begin. */
export let linesToAsk: i32 = 0;

function chainOf(state: LineState): Chain {
  return changetype<Chain>(STATES + <usize>state * CHAIN_BYTES);
}

/** By consumer alone, so that the lines of one consumer are in one bucket. */
function bucketOf(consumerId: u64): Chain {
  return changetype<Chain>(BUCKETS + <usize>((<u32>consumerId) & (BUCKET_COUNT - 1)) * CHAIN_BYTES);
}

export function waitersOf(line: Line): Chain {
  return changetype<Chain>(changetype<usize>(line) + offsetof<Line>("waiters"));
}

/** The line of that state that has been in it for longest, or null. */
export function firstOf(state: LineState): Line | null {
  return changetype<Line | null>(chainOf(state).first);
}

/** The line that has waited longest for a call to begin, or null. */
export function lineToAsk(): Line | null {
  return firstOf(LineState.ToAsk);
}

function findLine(consumerId: u64, meter: u64): Line | null {
  for (let at = bucketOf(consumerId).first; at != 0; at = nextIn(at, BUCKET_LINK)) {
    const line = changetype<Line>(at);
    if (line.consumerId == consumerId && line.meter == meter) return line;
  }
  return null;
}

/** How many requests of a consumer wait, whatever they wait for. */
export function waitingOf(consumerId: u64): i32 {
  let count = 0;
  for (let at = bucketOf(consumerId).first; at != 0; at = nextIn(at, BUCKET_LINK)) {
    if (changetype<Line>(at).consumerId == consumerId) count += changetype<Line>(at).count;
  }
  return count;
}

/** The line of a counter; a new one has to ask. There are as many lines as there may be waiters, and one. */
export function openLine(counter: Counter, rootId: u32): Line {
  const known = findLine(counter.consumerId, counter.meter);
  if (known != null) return known;
  const line = changetype<Line>(pool.take());
  learn(line, counter, rootId);
  enter(line, LineState.ToAsk);
  const bucket = bucketOf(counter.consumerId);
  insertAfter(bucket, bucket.last, changetype<usize>(line), BUCKET_LINK);
  return line;
}

/** The counter's positions as the newest decision knows them. */
export function learn(line: Line, counter: Counter, rootId: u32): void {
  memory.copy(changetype<usize>(line), changetype<usize>(counter), offsetof<Counter>());
  line.rootId = rootId;
}

/** Nobody is left in it. */
export function closeLine(line: Line): void {
  exit(line);
  remove(bucketOf(line.consumerId), changetype<usize>(line), BUCKET_LINK);
  pool.giveBack(changetype<usize>(line));
}

/** Puts the line last among those of a state, also when it is of that state already. */
export function setState(line: Line, state: LineState): void {
  exit(line);
  enter(line, state);
}

function enter(line: Line, state: LineState): void {
  line.state = state;
  const chain = chainOf(state);
  if (state != LineState.Asked) insertAfter(chain, chain.last, changetype<usize>(line), STATE_LINK);
  if (state == LineState.ToAsk) linesToAsk++;
}

function exit(line: Line): void {
  if (line.state != LineState.Asked) remove(chainOf(line.state), changetype<usize>(line), STATE_LINK);
  if (line.state == LineState.ToAsk) linesToAsk--;
}

/** The line cannot ask: its positions are of tables that are gone. Its first is to be decided by those in force. */
export function cannotAsk(line: Line): void {
  setState(line, LineState.Ready);
}

/**
 * Fills a call with the counters of the lines of one root that have to ask, until one wants a call of its own; how many lines it took
 * care of. Resets the arena: what a claim reads of shared data is large.
 */
export function fillCall(call: Call, service: ServiceState, rootId: u32, maxLines: i32, now: i64): i32 {
  let count = 0;
  while (count < maxLines) {
    const line = lineToAsk();
    if (line == null || line.rootId != rootId || line.plan == NONE) break;
    resetArena();
    const result = claim(service, line, call, line.count, now);
    if (result == Claim.Apart) break;
    setState(
      line,
      result == Claim.Made ? LineState.Asked : result == Claim.Asked ? LineState.Elsewhere : LineState.Ready,
    );
    count++;
  }
  return count;
}

/** Looks whether another worker's answer has come for a line; false when there is still nothing but to wait for it. */
export function look(line: Line, service: ServiceState, now: i64): bool {
  resetArena();
  const seen = prospect(service, line, now);
  setState(line, seen == Prospect.Try ? LineState.Ready : seen == Prospect.Ask ? LineState.ToAsk : LineState.Elsewhere);
  return seen != Prospect.None;
}

/** A call has ended, or nobody may count on it any more: it is the turn of the lines whose counters it has asked for. */
export function wake(call: Call): void {
  for (let i = 0; i < call.count; i++) {
    const line = findLine(counterOf(call, i).consumerId, counterOf(call, i).meter);
    if (line != null) setState(line, LineState.Ready);
  }
}
