import { NONE } from "../bytes/rows";
import { Counter } from "../rateLimitService/call";
import { Chains, Ends, clearEnds } from "./chain";
import { Line, LineState, closeLine, learn, lines, openLine, setState, waitersOf, waitingOf } from "./line";
import { Pool } from "./pool";

/**
 * Requests that wait for the rate limit service: each stands in the line of the counter that its decision found dry, in the
 * order of their deadlines, and in a bucket by its stream. All of it is bounded, and so is the time that any step takes.
 */
@unmanaged
export class Waiter {
  line: i32;
  streamId: u32;
  rootId: u32;
  private padding: u32;
  sinceNanoseconds: i64;
  untilNanoseconds: i64;
  /** A `Link` each: the places in its line, by deadline, and in its bucket. */
  lineLink: u64;
  timeLink: u64;
  bucketLink: u64;
}

export const MAX_WAITERS = 1024;
const BUCKETS: u32 = 256;

export const waiters: Pool<Waiter> = new Pool<Waiter>(MAX_WAITERS);
const inLine: Chains<Waiter> = new Chains<Waiter>(waiters, offsetof<Waiter>("lineLink"));
const byTime: Chains<Waiter> = new Chains<Waiter>(waiters, offsetof<Waiter>("timeLink"));
const byStream: Chains<Waiter> = new Chains<Waiter>(waiters, offsetof<Waiter>("bucketLink"));

const TIME: Ends = changetype<Ends>(memory.data(8, 8));
const HEADS: usize = memory.data(256 * 8, 8);
clearEnds(TIME);
memory.fill(HEADS, 0xff, 256 * 8);

/** Requests that wait in this VM. */
export let waiting: i32 = 0;

/**
 * True when one more request of the consumer may wait. A consumer may fill half of what is free, so however many one has
 * waiting, there is room for another's first.
 */
export function mayWait(consumerId: u64): bool {
  return waitingOf(consumerId) * 2 < MAX_WAITERS - waiting;
}

/** Puts a paused stream at the end of the counter's line; the line's position. */
export function join(streamId: u32, rootId: u32, counter: Counter, sinceNanoseconds: i64, untilNanoseconds: i64): i32 {
  const index = waiters.take();
  const waiter = waiters.at(index);
  waiter.streamId = streamId;
  waiter.rootId = rootId;
  waiter.sinceNanoseconds = sinceNanoseconds;
  waiter.untilNanoseconds = untilNanoseconds;
  waiter.line = openLine(counter, rootId);
  enter(index);
  byStream.append(bucketOf(streamId), index);
  insertByTime(index);
  waiting++;
  return waiter.line;
}

/** The request waits for the counter from now on, which may be another one than before; it keeps its deadline. */
export function waitFor(index: i32, counter: Counter): i32 {
  const waiter = waiters.at(index);
  const line = openLine(counter, waiter.rootId);
  if (line != waiter.line) {
    exit(index);
    waiter.line = line;
    enter(index);
  }
  learn(lines.at(line), counter, waiter.rootId);
  return line;
}

/** The request waits no more. */
export function leave(index: i32): void {
  const waiter = waiters.at(index);
  exit(index);
  byTime.remove(TIME, index);
  byStream.remove(bucketOf(waiter.streamId), index);
  waiters.giveBack(index);
  waiting--;
}

/** The waiter of a stream, or NONE. */
export function findWaiter(streamId: u32): i32 {
  for (let i = bucketOf(streamId).first; i != NONE; i = byStream.next(i)) {
    if (waiters.at(i).streamId == streamId) return i;
  }
  return NONE;
}

/** The waiter whose deadline is next, or NONE. */
export function nextDue(): i32 {
  return TIME.first;
}

/** Tables of a root go: its lines are looked at anew, by whatever is in force then. */
export function forgetPositions(rootId: u32): void {
  for (let i = TIME.first; i != NONE; i = byTime.next(i)) {
    const line = lines.at(waiters.at(i).line);
    if (line.rootId != rootId || line.plan == NONE) continue;
    line.plan = NONE;
    setState(waiters.at(i).line, LineState.Ready);
  }
}

function enter(index: i32): void {
  const line = lines.at(waiters.at(index).line);
  inLine.append(waitersOf(line), index);
  line.count++;
}

function exit(index: i32): void {
  const line: Line = lines.at(waiters.at(index).line);
  inLine.remove(waitersOf(line), index);
  if (--line.count == 0) closeLine(waiters.at(index).line);
}

/** Deadlines mostly come in order, so the place is at the end or near it. */
function insertByTime(index: i32): void {
  const until = waiters.at(index).untilNanoseconds;
  let before = TIME.last;
  while (before != NONE && waiters.at(before).untilNanoseconds > until) before = byTime.previous(before);
  byTime.insertAfter(TIME, before, index);
}

function bucketOf(streamId: u32): Ends {
  return changetype<Ends>(HEADS + <usize>(streamId & (BUCKETS - 1)) * 8);
}
