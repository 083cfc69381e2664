import { resetArena } from "../bytes/arena";
import { Call, Claim, Counter, NextStep, claim, counterOf, nextStep } from "../rateLimitService/call";
import { ServiceState } from "../rateLimitService/service";
import { NONE } from "../bytes/rows";
import { CHAIN_BYTES, Chain, Pool, insertAfter, nextIn, remove } from "./chain";

/**
 * What the requests in a line wait for. A decision that finds no units again sends its line back to `ToAsk`.
 *
 *   ToAsk ── in a call of this VM ──▶ Asked ── answered, failed or released ──▶ Ready
 *     │ ▲                                                                         ▲ ▲
 *     │ └──── that call is over ──────┐                                           │ │
 *     ├─ another worker asks ────▶ Elsewhere ── its answer has come ──────────────┘ │
 *     └── enough is known already, or the tables are gone ──────────────────────────┘
 */
export const enum LineState {
  /** A call that has not begun yet. */
  ToAsk,
  /** The answer to a call of this VM, which makes the line ready. Such lines are in no state's chain. */
  Asked,
  /** The answer to another worker's call. This VM is not notified of it, so it has to look at shared data. */
  Elsewhere,
  /** Nothing: its first request can be decided again. */
  Ready,
}

/** The requests of this VM that wait for one counter, in order of arrival. */
@unmanaged
export class Line extends Counter {
  /** The root that makes calls for it, and whose tables the counter's indexes refer to. `api` is NONE once those are gone. */
  rootId: u32;
  state: LineState;
  count: i32;
  /** A `Chain` of its waiters. */
  waiters: u64;
  /** A `Link` each: among the lines of the same state, and in its hash bucket. */
  stateLink: u64;
  bucketLink: u64;
}

/** Requests that may wait in a VM. */
export const MAX_WAITERS = 1024;
/** One more than waiters: a waiter that changes lines opens the new line before it leaves the old one. */
const MAX_LINES = MAX_WAITERS + 1;
const BUCKET_COUNT: u32 = 256;
const STATE_LINK: usize = offsetof<Line>("stateLink");
const BUCKET_LINK: usize = offsetof<Line>("bucketLink");

const pool: Pool = new Pool(MAX_LINES, offsetof<Line>());
const STATES: usize = memory.data(4 * CHAIN_BYTES, 8);
const BUCKETS: usize = memory.data(BUCKET_COUNT * CHAIN_BYTES, 8);

/** Lines for which a call has not begun yet. */
export let linesToAsk: i32 = 0;

function chainOf(state: LineState): Chain {
  return changetype<Chain>(STATES + <usize>state * CHAIN_BYTES);
}

/** Hashed by consumer alone, so that all lines of a consumer are in one bucket. */
function bucketOf(consumerId: u64): Chain {
  return changetype<Chain>(BUCKETS + <usize>((<u32>consumerId) & (BUCKET_COUNT - 1)) * CHAIN_BYTES);
}

export function waitersOf(line: Line): Chain {
  return changetype<Chain>(changetype<usize>(line) + offsetof<Line>("waiters"));
}

/** The line that has been in the state for the longest time, or null. */
export function firstOf(state: LineState): Line | null {
  return changetype<Line | null>(chainOf(state).first);
}

/** The line that has waited for a call for the longest time, or null. */
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

/** The number of a consumer's requests that wait, for whichever counter. */
export function waitingOf(consumerId: u64): i32 {
  let count = 0;
  for (let at = bucketOf(consumerId).first; at != 0; at = nextIn(at, BUCKET_LINK)) {
    if (changetype<Line>(at).consumerId == consumerId) count += changetype<Line>(at).count;
  }
  return count;
}

/** The line of a counter; a new one starts in `ToAsk`. The pool cannot run out: it has one line more than there may be waiters. */
export function openLine(counter: Counter, rootId: u32): Line {
  const known = findLine(counter.consumerId, counter.meter);
  if (known != null) return known;
  const line = changetype<Line>(pool.take());
  update(line, counter, rootId);
  enter(line, LineState.ToAsk);
  const bucket = bucketOf(counter.consumerId);
  insertAfter(bucket, bucket.last, changetype<usize>(line), BUCKET_LINK);
  return line;
}

/** Takes over the counter's limit and indexes from the latest decision. */
export function update(line: Line, counter: Counter, rootId: u32): void {
  memory.copy(changetype<usize>(line), changetype<usize>(counter), offsetof<Counter>());
  line.rootId = rootId;
}

/** To be called once no waiter is left in the line. */
export function closeLine(line: Line): void {
  exit(line);
  remove(bucketOf(line.consumerId), changetype<usize>(line), BUCKET_LINK);
  pool.giveBack(changetype<usize>(line));
}

/** Moves the line to the end of a state's chain, even if it is in that state already. */
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

/** The line's tables are gone, so no call can be made for it: its first request is decided again with the tables in force. */
export function cannotAsk(line: Line): void {
  setState(line, LineState.Ready);
}

/**
 * Adds to a call the counters of one root's lines in `ToAsk`, until one needs another call; returns how many lines left that state.
 * Resets the arena, because each claim reads a whole shard.
 */
export function fillCall(call: Call, service: ServiceState, rootId: u32, maxLines: i32, now: i64): i32 {
  let count = 0;
  while (count < maxLines) {
    const line = lineToAsk();
    if (line == null || line.rootId != rootId || line.api == NONE) break;
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

/** Looks whether another worker's answer for a line has come; false when it must wait on. */
export function look(line: Line, service: ServiceState, now: i64): bool {
  resetArena();
  const next = nextStep(service, line, now);
  setState(
    line,
    next == NextStep.Retry ? LineState.Ready : next == NextStep.Ask ? LineState.ToAsk : LineState.Elsewhere,
  );
  return next != NextStep.Wait;
}

/** Makes the lines of a call's counters ready: the call has ended, or may never be answered. */
export function wake(call: Call): void {
  for (let i = 0; i < call.count; i++) {
    const line = findLine(counterOf(call, i).consumerId, counterOf(call, i).meter);
    if (line != null) setState(line, LineState.Ready);
  }
}
