import { NONE } from "../bytes/rows";
import { Counter } from "../rateLimitService/call";
import { Chains, Ends, clearEnds } from "./chain";
import { Pool } from "./pool";

/** What those in a line wait for now. */
export const enum LineState {
  /** A call that somebody in this VM has to begin. */
  ToAsk,
  /** The answer to a call of this VM: the line is in no chain of a state. */
  Asked,
  /** The answer to another worker's call, which cannot wake this VM: it is looked for now and then. */
  Elsewhere,
  /** Their turn: something may have changed. */
  Ready,
}

/** The requests that wait for one counter in this VM, in the order in which they came. */
@unmanaged
export class Line extends Counter {
  /** The root whose tables the counter's positions are of, and which calls for it. */
  rootId: u32;
  state: LineState;
  count: i32;
  first: i32;
  last: i32;
  /** A `Link` each: the place among the lines of its state, and in its bucket. */
  stateLink: u64;
  bucketLink: u64;
}

/** One more than there are waiters: a waiter that changes lines opens the new one first. */
const MAX_LINES = 1025;
const BUCKETS: u32 = 256;

export const lines: Pool<Line> = new Pool<Line>(MAX_LINES);
const byState: Chains<Line> = new Chains<Line>(lines, offsetof<Line>("stateLink"));
const byBucket: Chains<Line> = new Chains<Line>(lines, offsetof<Line>("bucketLink"));

const STATES: usize = memory.data(4 * 8, 8);
const HEADS: usize = memory.data(256 * 8, 8);
for (let state = 0; state < 4; state++) clearEnds(stateEnds(<LineState>state));
memory.fill(HEADS, 0xff, 256 * 8);

function stateEnds(state: LineState): Ends {
  return changetype<Ends>(STATES + <usize>state * 8);
}

/** By consumer alone, so that the lines of one consumer lie in one bucket. */
function bucketEnds(consumerId: u64): Ends {
  return changetype<Ends>(HEADS + <usize>((<u32>consumerId) & (BUCKETS - 1)) * 8);
}

/** Lines that have to ask. */
export let linesToAsk: i32 = 0;

/** Where the line's own waiters begin and end. */
export function waitersOf(line: Line): Ends {
  return changetype<Ends>(changetype<usize>(line) + offsetof<Line>("first"));
}

export function findLine(consumerId: u64, meter: u64): i32 {
  for (let i = bucketEnds(consumerId).first; i != NONE; i = byBucket.next(i)) {
    const line = lines.at(i);
    if (line.consumerId == consumerId && line.meter == meter) return i;
  }
  return NONE;
}

/** How many requests of a consumer wait, whatever they wait for. */
export function waitingOf(consumerId: u64): i32 {
  let count = 0;
  for (let i = bucketEnds(consumerId).first; i != NONE; i = byBucket.next(i)) {
    if (lines.at(i).consumerId == consumerId) count += lines.at(i).count;
  }
  return count;
}

/** The line of a counter; a new one has to ask. There are as many lines as there may be waiters, and one. */
export function openLine(counter: Counter, rootId: u32): i32 {
  let index = findLine(counter.consumerId, counter.meter);
  if (index != NONE) return index;
  index = lines.take();
  const line = lines.at(index);
  learn(line, counter, rootId);
  clearEnds(waitersOf(line));
  enter(index, LineState.ToAsk);
  byBucket.append(bucketEnds(counter.consumerId), index);
  return index;
}

/** The counter's positions as the newest decision knows them. */
export function learn(line: Line, counter: Counter, rootId: u32): void {
  memory.copy(changetype<usize>(line), changetype<usize>(counter), offsetof<Counter>());
  line.rootId = rootId;
}

/** Nobody is left in it. */
export function closeLine(index: i32): void {
  const line = lines.at(index);
  exit(index);
  byBucket.remove(bucketEnds(line.consumerId), index);
  lines.giveBack(index);
}

/** Puts the line last among those of a state, also when it is of that state already. */
export function setState(index: i32, state: LineState): void {
  exit(index);
  enter(index, state);
}

function enter(index: i32, state: LineState): void {
  lines.at(index).state = state;
  if (state != LineState.Asked) byState.append(stateEnds(state), index);
  if (state == LineState.ToAsk) linesToAsk++;
}

function exit(index: i32): void {
  const state = lines.at(index).state;
  if (state != LineState.Asked) byState.remove(stateEnds(state), index);
  if (state == LineState.ToAsk) linesToAsk--;
}

/** The line of that state that has been in it for longest, or NONE. */
export function firstOf(state: LineState): i32 {
  return stateEnds(state).first;
}
