import { Patience } from "../quota/attempt";
import { Counter } from "../rateLimitService/call";
import { isAnswered } from "../rateLimitService/draw";
import { ServiceState } from "../rateLimitService/service";
import { NONE } from "../bytes/rows";
import { CHAIN_BYTES, Chain, Pool, insertAfter, nextIn, previousIn, remove } from "./chain";
import {
  Line,
  LineState,
  MAX_WAITERS,
  closeLine,
  firstOf,
  learn,
  look,
  openLine,
  setState,
  waitersOf,
  waitingOf,
} from "./line";

/**
 * Requests that wait for the rate limit service. Each stands in the line of the counter that its decision found dry, among all by its
 * deadline, and in a bucket by its stream. All of it is bounded, and so is the time that any step takes.
 *
 * A callback of the host is a round: the queue says whose turn it is, and why, until enough has been done for one callback.
 */
@unmanaged
export class Waiter {
  line: Line;
  streamId: u32;
  rootId: u32;
  padding: u32;
  sinceNanoseconds: i64;
  /** By the steady clock. */
  deadlineNanoseconds: i64;
  /** A `Link` each: the places in its line, by deadline, and in its bucket. */
  lineLink: u64;
  deadlineLink: u64;
  bucketLink: u64;
}

/** Whose turn it is, and why. */
export const enum Turn {
  /** The round is over. */
  None,
  /** `turnWaiter` has waited for as long as it may. */
  Due,
  /** `turnLine` waits for another worker's answer: it is to be looked at. */
  Look,
  /** Something may have changed for `turnWaiter`, the first of its line. */
  Ready,
}

/** The host carries replies out after the callback, one inside the other, and about 350 would exceed its stack. */
const MAX_TURNS = 32;
/** Each look reads shared data. */
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

/** Whom the last turn is about. */
export let turnWaiter: Waiter = changetype<Waiter>(0);
export let turnLine: Line = changetype<Line>(0);

let roundNanoseconds: i64 = 0;
let turnsLeft: i32 = 0;
let looksLeft: i32 = 0;
/** The first line of the round that had to be left waiting for another worker; 0 before. */
let firstLeft: usize = 0;

/** How far the steady clock is ahead of the host's, and where it stood last. */
let aheadNanoseconds: i64 = 0;
let steadyNanoseconds: i64 = 0;

/**
 * A clock that stands still when the host's is set back, and then goes on with it: deadlines stay in order, and nobody waits
 * until the host's clock has caught up.
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
 * Who is next: those out of time, then lines to be looked at, then the first of each line that is ready, lines taking turns. Whoever's
 * turn it was must `leave` or `stay`, or be looked at, before the next is asked for.
 */
export function nextTurn(): Turn {
  const due = BY_DEADLINE.first;
  if (turnsLeft > 0 && due != 0 && steady(roundNanoseconds) >= changetype<Waiter>(due).deadlineNanoseconds) {
    turnsLeft--;
    turnWaiter = changetype<Waiter>(due);
    return Turn.Due;
  }
  const elsewhere = firstOf(LineState.Elsewhere);
  // Once round is enough.
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

/** Looks at `turnLine`; without a service, because its root is gone, it is its first waiter's turn. */
export function lookAtTurn(service: ServiceState | null): void {
  if (service == null) setState(turnLine, LineState.Ready);
  else if (!look(turnLine, service, roundNanoseconds) && firstLeft == 0) firstLeft = changetype<usize>(turnLine);
}

/** What a request that is out of time goes by: were others quicker, does nobody answer, or could nobody ask? */
export function patienceAtEnd(waiter: Waiter, service: ServiceState): Patience {
  const line = waiter.line;
  const since = waiter.sinceNanoseconds;
  if (isAnswered(service, line, since)) return Patience.Contended;
  const outage = service.outage;
  if (line.state == LineState.ToAsk && !outage.isDown(roundNanoseconds)) return Patience.Wait;
  // One slow call is no outage while others are answered.
  if (outage.answeredAtNanoseconds < since) outage.noteFailure(since, roundNanoseconds);
  return Patience.Unanswered;
}

/**
 * True when one more request of the consumer may wait. A consumer may fill half of what is free, so however many one has
 * waiting, there is room for another's first.
 */
export function mayWait(consumerId: u64): bool {
  return waitingOf(consumerId) * 2 < MAX_WAITERS - waiting;
}

/** Puts a paused stream at the end of the counter's line; it may wait there for `timeoutNanoseconds` from now. */
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
}

/** The request waits on, now for this counter, which may be another one than before; it keeps its deadline. */
export function stay(waiter: Waiter, counter: Counter): void {
  const line = openLine(counter, waiter.rootId);
  if (line != waiter.line) {
    exit(waiter);
    enter(waiter, line);
  }
  learn(line, counter, waiter.rootId);
  if (line.state == LineState.Ready) setState(line, LineState.ToAsk);
}

/** The request waits no more. */
export function leave(waiter: Waiter): void {
  exit(waiter);
  remove(BY_DEADLINE, changetype<usize>(waiter), DEADLINE_LINK);
  remove(bucketOf(waiter.streamId), changetype<usize>(waiter), BUCKET_LINK);
  pool.giveBack(changetype<usize>(waiter));
  waiting--;
}

/** The stream has ended or has been answered: if it waits, it waits no more. To be asked only while somebody waits. */
export function forgetWaiter(streamId: u32): void {
  let at = bucketOf(streamId).first;
  while (at != 0 && changetype<Waiter>(at).streamId != streamId) at = nextIn(at, BUCKET_LINK);
  if (at != 0) leave(changetype<Waiter>(at));
}

/** Tables of a root go: its lines are decided anew, by whatever is in force then. */
export function forgetPositions(rootId: u32): void {
  for (let at = BY_DEADLINE.first; at != 0; at = nextIn(at, DEADLINE_LINK)) {
    const line = changetype<Waiter>(at).line;
    if (line.rootId != rootId || line.plan == NONE) continue;
    line.plan = NONE;
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

/** Deadlines mostly come in order, so the place is at the end or near it. */
function insertByDeadline(waiter: Waiter): void {
  let before = BY_DEADLINE.last;
  while (before != 0 && changetype<Waiter>(before).deadlineNanoseconds > waiter.deadlineNanoseconds)
    before = previousIn(before, DEADLINE_LINK);
  insertAfter(BY_DEADLINE, before, changetype<usize>(waiter), DEADLINE_LINK);
}

function bucketOf(streamId: u32): Chain {
  return changetype<Chain>(BUCKETS + <usize>(streamId & (BUCKET_COUNT - 1)) * CHAIN_BYTES);
}
