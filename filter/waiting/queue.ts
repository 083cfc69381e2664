import { Patience } from "../quota/attempt";
import { Counter } from "../rateLimitService/call";
import { isAnswered } from "../rateLimitService/draw";
import { ServiceState } from "../rateLimitService/service";
import { expectEnd, forgetEnd } from "../inFlight/expected";
import { NONE } from "../bytes/rows";
import { CHAIN_BYTES, Chain, Pool, insertAfter, nextIn, previousIn, remove } from "./chain";
import {
  Line,
  LineState,
  MAX_WAITERS,
  closeLine,
  firstOf,
  look,
  openLine,
  setState,
  update,
  waitersOf,
  waitingOf,
} from "./line";

/**
 * Requests that wait for the rate limit service. Each is in the line of the counter for which its decision found no units, in the list
 * of all waiters by deadline, and in a hash bucket by stream. Memory is bounded, and so is the time that any step takes.
 *
 * Each callback of the host plays one round: the queue says whose turn it is, and why, until the callback has done enough.
 */
@unmanaged
export class Waiter {
  line: Line;
  streamId: u32;
  rootId: u32;
  padding: u32;
  sinceNanoseconds: i64;
  /** On the steady clock (see `steady`). */
  deadlineNanoseconds: i64;
  /** A `Link` each: in its line, by deadline, and in its hash bucket. */
  lineLink: u64;
  deadlineLink: u64;
  bucketLink: u64;
}

/** Whose turn it is, and why. */
export const enum Turn {
  /** The round is over. */
  None,
  /** `turnWaiter` has reached its deadline. */
  Due,
  /** `turnLine` waits for another worker's answer: look whether it has come. */
  Look,
  /** `turnWaiter`, the first of its line, can be decided again. */
  Ready,
}

/** The host sends the replies after the callback, by nested calls, and about 350 of them would overflow its stack. */
const MAX_TURNS = 32;
/** Each look reads a shard of shared data. */
const MAX_LOOKS = 16;
const BUCKET_COUNT: u32 = 256;
const LINE_LINK: usize = offsetof<Waiter>("lineLink");
const DEADLINE_LINK: usize = offsetof<Waiter>("deadlineLink");
const BUCKET_LINK: usize = offsetof<Waiter>("bucketLink");

const pool: Pool = new Pool(MAX_WAITERS, offsetof<Waiter>());
const BY_DEADLINE: Chain = changetype<Chain>(memory.data(CHAIN_BYTES, 8));
const BUCKETS: usize = memory.data(BUCKET_COUNT * CHAIN_BYTES, 8);

/** Requests that wait in this VM. */
export let waiting: i32 = 0;

/** The waiter or line that the last turn is about. */
export let turnWaiter: Waiter = changetype<Waiter>(0);
export let turnLine: Line = changetype<Line>(0);

let roundNanoseconds: i64 = 0;
let turnsLeft: i32 = 0;
let looksLeft: i32 = 0;
/** The first line of this round that goes on waiting for another worker; 0 if there is none yet. */
let firstLeft: usize = 0;

/** How far the steady clock is ahead of the host's, and its last reading. */
let aheadNanoseconds: i64 = 0;
let steadyNanoseconds: i64 = 0;

/**
 * A clock that never goes back: when the host's clock is set back, it pauses and then goes on at the host's rate. So deadlines stay
 * in order, and no request waits until the host's clock has caught up.
 */
function steady(now: i64): i64 {
  aheadNanoseconds = max(aheadNanoseconds, steadyNanoseconds - now);
  steadyNanoseconds = now + aheadNanoseconds;
  return steadyNanoseconds;
}

export function beginRound(now: i64): void {
  roundNanoseconds = now;
  turnsLeft = MAX_TURNS;
  looksLeft = MAX_LOOKS;
  firstLeft = 0;
}

/**
 * Whose turn is next: requests past their deadline, then lines to look at, then the first request of each ready line, round-robin over
 * the lines. Before the next turn, the waiter must `leave` or `stay`, and the line must be looked at.
 */
export function nextTurn(): Turn {
  const due = BY_DEADLINE.first;
  if (turnsLeft > 0 && due != 0 && steady(roundNanoseconds) >= changetype<Waiter>(due).deadlineNanoseconds) {
    turnsLeft--;
    turnWaiter = changetype<Waiter>(due);
    return Turn.Due;
  }
  const elsewhere = firstOf(LineState.Elsewhere);
  // One pass over these lines is enough.
  if (looksLeft > 0 && elsewhere != null && changetype<usize>(elsewhere) != firstLeft) {
    looksLeft--;
    turnLine = elsewhere;
    return Turn.Look;
  }
  looksLeft = 0;
  const ready = firstOf(LineState.Ready);
  if (turnsLeft == 0 || ready == null) return Turn.None;
  turnsLeft--;
  setState(ready, LineState.Ready);
  turnWaiter = changetype<Waiter>(waitersOf(ready).first);
  return Turn.Ready;
}

/** Looks at `turnLine`. Without a service, because its root is gone, the line becomes ready. */
export function lookAtTurn(service: ServiceState | null): void {
  if (service == null) setState(turnLine, LineState.Ready);
  else if (!look(turnLine, service, roundNanoseconds) && firstLeft == 0) firstLeft = changetype<usize>(turnLine);
}

/** How a request at its deadline is decided: other requests took the units, nobody answered, or no call could be made. */
export function patienceAtEnd(waiter: Waiter, service: ServiceState): Patience {
  const line = waiter.line;
  const since = waiter.sinceNanoseconds;
  if (isAnswered(service, line, since)) return Patience.Contended;
  const outage = service.outage;
  if (line.state == LineState.ToAsk && !outage.isDown(roundNanoseconds)) return Patience.Wait;
  // One slow call is no outage while other calls are answered.
  if (outage.answeredAtNanoseconds < since) outage.noteFailure(since, roundNanoseconds);
  return Patience.Unanswered;
}

/**
 * True when one more request of the consumer may wait. A consumer may fill half of the free places, so however many requests one
 * consumer sends, there is room for the next consumer.
 */
export function mayWait(consumerId: u64): bool {
  return waitingOf(consumerId) * 2 < MAX_WAITERS - waiting;
}

/** Appends a paused stream to the counter's line; it may wait for `timeoutNanoseconds` from now. */
export function join(streamId: u32, rootId: u32, counter: Counter, now: i64, timeoutNanoseconds: i64): void {
  const waiter = changetype<Waiter>(pool.take());
  waiter.streamId = streamId;
  waiter.rootId = rootId;
  waiter.sinceNanoseconds = now;
  waiter.deadlineNanoseconds = steady(now) + timeoutNanoseconds;
  enter(waiter, openLine(counter, rootId));
  const bucket = bucketOf(streamId);
  insertAfter(bucket, bucket.last, changetype<usize>(waiter), BUCKET_LINK);
  insertByDeadline(waiter);
  waiting++;
  expectEnd();
}

/** The request goes on waiting, perhaps for another counter than before; its deadline stays. */
export function stay(waiter: Waiter, counter: Counter): void {
  const line = openLine(counter, waiter.rootId);
  if (line != waiter.line) {
    exit(waiter);
    enter(waiter, line);
  }
  update(line, counter, waiter.rootId);
  if (line.state == LineState.Ready) setState(line, LineState.ToAsk);
}

/** The request stops waiting. */
export function leave(waiter: Waiter): void {
  exit(waiter);
  remove(BY_DEADLINE, changetype<usize>(waiter), DEADLINE_LINK);
  remove(bucketOf(waiter.streamId), changetype<usize>(waiter), BUCKET_LINK);
  pool.giveBack(changetype<usize>(waiter));
  waiting--;
  forgetEnd();
}

/** Removes a stream that has ended or been answered, if it waits. To be called only while some request waits. */
export function forgetWaiter(streamId: u32): void {
  let at = bucketOf(streamId).first;
  while (at != 0 && changetype<Waiter>(at).streamId != streamId) at = nextIn(at, BUCKET_LINK);
  if (at != 0) leave(changetype<Waiter>(at));
}

/** A root's tables are being freed: requests in its lines are decided again, by the tables that are in force then. */
export function forgetPositions(rootId: u32): void {
  for (let at = BY_DEADLINE.first; at != 0; at = nextIn(at, DEADLINE_LINK)) {
    const line = changetype<Waiter>(at).line;
    if (line.rootId != rootId || line.api == NONE) continue;
    line.api = NONE;
    setState(line, LineState.Ready);
  }
}

function enter(waiter: Waiter, line: Line): void {
  waiter.line = line;
  const chain = waitersOf(line);
  insertAfter(chain, chain.last, changetype<usize>(waiter), LINE_LINK);
  line.count++;
}

function exit(waiter: Waiter): void {
  const line = waiter.line;
  remove(waitersOf(line), changetype<usize>(waiter), LINE_LINK);
  if (--line.count == 0) closeLine(line);
}

/** Searches from the end, because deadlines mostly come in order. */
function insertByDeadline(waiter: Waiter): void {
  let before = BY_DEADLINE.last;
  while (before != 0 && changetype<Waiter>(before).deadlineNanoseconds > waiter.deadlineNanoseconds)
    before = previousIn(before, DEADLINE_LINK);
  insertAfter(BY_DEADLINE, before, changetype<usize>(waiter), DEADLINE_LINK);
}

function bucketOf(streamId: u32): Chain {
  return changetype<Chain>(BUCKETS + <usize>(streamId & (BUCKET_COUNT - 1)) * CHAIN_BYTES);
}
