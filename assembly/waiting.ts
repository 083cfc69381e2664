import { Count, Counter, NONE, Patience, Rows, dryIndex, isAnswered, noted, resetArena } from "../filter/index";
import { continueRequest, currentTimeNanoseconds, setEffectiveContext } from "./host";
import { ask } from "./ledger";
import { Verdict, decideAgain } from "./request";
import { Account, Root, findRoot } from "./root";

/**
 * Requests that wait for the ledger. Each is decided anew when an answer about its counter comes, and at the latest when it
 * has waited long enough. The answer may come to another worker's VM, which cannot wake this one: so this one looks every few
 * milliseconds while somebody waits. A stream that its client has given up is found out then, and forgotten.
 *
 * A waiter is the counter that it waits for, and whose request; `plan` is NONE when its tables are no more.
 */
@unmanaged
class Waiter extends Counter {
  streamId: u32;
  rootId: u32;
  sinceNanoseconds: i64;
  untilNanoseconds: i64;
}

const MAX_WAITERS = 1024;
const waiters: Rows<Waiter> = new Rows<Waiter>();

/** True when so many wait already that no more may. */
export function isFull(): bool {
  return waiters.count >= MAX_WAITERS;
}

/** Keeps the paused stream until the counter that its decision found dry can be drawn from. */
export function wait(streamId: u32, root: Root, account: Account, timeoutMilliseconds: i32): void {
  const now = currentTimeNanoseconds();
  const waiter = waiters.add();
  waiter.streamId = streamId;
  waiter.rootId = root.id;
  waiter.sinceNanoseconds = now;
  waiter.untilNanoseconds = now + <i64>timeoutMilliseconds * 1_000_000;
  noteDry(waiter);
  account.counters.tally.add(Count.Waits, 1);
  root.hurry();
}

function noteDry(waiter: Waiter): void {
  memory.copy(changetype<usize>(waiter), changetype<usize>(noted(dryIndex)), offsetof<Counter>());
}

/** Decides those anew that wait for the counter: an answer about it has come. */
export function resumeCounter(consumerId: u64, meter: u64): void {
  look(0, consumerId, meter);
}

/** What a root's tick does for those that wait under it; true while there are some. */
export function resumeWaiting(root: Root): bool {
  if (!hasWaiters(root.id)) return false;
  // Either calls begin in a callback or replies are sent, never both; a call brings what a reply would come too early for.
  if (!askForWaiting(root.id)) look(root.id, 0, 0);
  return true;
}

/** Their tables go: they are decided anew by what is in force at the next look. */
export function forgetWaiters(rootId: u32): void {
  for (let i = 0; i < waiters.count; i++) {
    if (waiters.at(i).rootId == rootId) waiters.at(i).plan = NONE;
  }
}

function hasWaiters(rootId: u32): bool {
  for (let i = 0; i < waiters.count; i++) {
    if (waiters.at(i).rootId == rootId) return true;
  }
  return false;
}

/** Calls for what is waited for and not asked yet: those who did ask may have failed. */
function askForWaiting(rootId: u32): bool {
  let begun = false;
  let consumerId: u64 = 0;
  let meter: u64 = 0;
  for (let i = 0; i < waiters.count; i++) {
    const waiter = waiters.at(i);
    const isAnother = waiter.consumerId != consumerId || waiter.meter != meter;
    if (waiter.rootId != rootId || waiter.plan == NONE || !isAnother) continue;
    consumerId = waiter.consumerId;
    meter = waiter.meter;
    if (askFor(waiter)) begun = true;
  }
  return begun;
}

function askFor(waiter: Waiter): bool {
  const root = findRoot(waiter.rootId);
  if (root == null || waiter.plan == NONE) return false;
  const tables = root.tables;
  const account = root.account;
  if (tables == null || account == null) return false;
  return ask(root, tables, account, waiter, countWaiting(waiter.consumerId, waiter.meter));
}

function countWaiting(consumerId: u64, meter: u64): i32 {
  let count = 0;
  for (let i = 0; i < waiters.count; i++) {
    if (waiters.at(i).consumerId == consumerId && waiters.at(i).meter == meter) count++;
  }
  return count;
}

/**
 * Looks at the waiters of a root, or, with root 0, of a counter, in the order in which they came. Those who find their
 * counter still dry keep all behind them that wait for the same from trying.
 */
function look(rootId: u32, consumerId: u64, meter: u64): void {
  const count = waiters.count;
  const now = currentTimeNanoseconds();
  let kept = 0;
  let replied = false;
  let dry: i32 = NONE;
  for (let i = 0; i < count; i++) {
    const waiter = waiters.at(i);
    const isMeant = rootId == 0 ? waiter.consumerId == consumerId && waiter.meter == meter : waiter.rootId == rootId;
    const isBehind = dry != NONE && waiter.consumerId == waiters.at(dry).consumerId && waiter.meter == waiters.at(dry).meter;
    const isDue = now >= waiter.untilNanoseconds || now < waiter.sinceNanoseconds;
    let verdict = Verdict.Wait;
    if (isMeant && (isDue || !isBehind)) verdict = resume(waiter, isDue, now);
    if (verdict == Verdict.Deny) replied = true;
    if (verdict != Verdict.Wait) continue;
    if (kept != i) memory.copy(changetype<usize>(waiters.at(kept)), changetype<usize>(waiter), offsetof<Waiter>());
    if (isMeant && !isBehind) dry = kept;
    kept++;
  }
  waiters.count = kept;
  if (dry != NONE && !replied) askFor(waiters.at(dry));
}

/** A request has waited long enough: because nobody answers, or because others were quicker? */
function patienceAtEnd(waiter: Waiter, account: Account | null, now: i64): Patience {
  if (account == null) return Patience.Unanswered;
  if (isAnswered(account.counters, waiter.consumerId, waiter.meter, waiter.sinceNanoseconds)) return Patience.Contended;
  // One slow call is no outage while others are answered.
  const outage = account.counters.outage;
  if (outage.answeredAt < waiter.sinceNanoseconds) outage.noteFailure(waiter.sinceNanoseconds, now);
  return Patience.Unanswered;
}

/** Decides a waiting request anew and lets it go on, unless it has to wait longer. A stream that is gone needs nothing. */
function resume(waiter: Waiter, isDue: bool, now: i64): Verdict {
  resetArena();
  if (!setEffectiveContext(waiter.streamId)) return Verdict.Allow;
  const root = findRoot(waiter.rootId);
  const account: Account | null = root == null ? null : root.account;
  const verdict = decideAgain(waiter.streamId, root, isDue ? patienceAtEnd(waiter, account, now) : Patience.Wait);
  if (verdict == Verdict.Wait) noteDry(waiter);
  else if (account != null) {
    account.counters.tally.add(Count.WaitMilliseconds, max<i64>(0, now - waiter.sinceNanoseconds) / 1_000_000);
    if (isDue) account.counters.tally.add(Count.WaitTimeouts, 1);
  }
  if (verdict == Verdict.Allow) continueRequest();
  return verdict;
}
