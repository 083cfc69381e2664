import { NONE } from "../filter/index";

/**
 * Calls to the outside that are under way. The host names a call by a token and answers it in a callback of the root that made it,
 * at some time or, when that root is gone, never. Here a token leads to whoever waits for the answer, and a call that nobody
 * answers ends all the same.
 *
 * A call has a slot for as long as it is under way, and its owner keeps under the slot's number what it has asked.
 */
export const MAX_CALLS = 64;
/** What an owner is told in place of a status when nobody has ended the call: its time is over. */
export const NO_STATUS: u32 = 0xffffffff;

/** Whom the answers to some calls are for. It must live for as long as the VM. */
export abstract class CallOwner {
  /** The answer has come, `size` bytes of it: the host has it until the callback ends. */
  abstract onAnswer(slot: i32, size: u32): void;

  /** The call has ended without an answer, with a status or NO_STATUS. */
  abstract onFailure(slot: i32, status: u32): void;

  /** The root is gone or replaced, and the answer may go with it: others may ask anew. If it comes, it is an answer all the same. */
  abstract onRelease(slot: i32): void;
}


@unmanaged
class Callout {
  sentAtNanoseconds: i64;
  lifetimeNanoseconds: i64;
  token: u32;
  rootId: u32;
  /** The CallOwner; 0 in a free slot. */
  owner: usize;
  isReleased: bool;
}

const CALLS: usize = memory.data(MAX_CALLS * offsetof<Callout>(), 8);

/** Calls under way, released ones among them. */
export let callsUnderWay: i32 = 0;
export let lastBegunAtNanoseconds: i64 = 0;

function callAt(slot: i32): Callout {
  return changetype<Callout>(CALLS + <usize>slot * offsetof<Callout>());
}

/** A slot for one more call, or NONE while all are under way. It is the caller's until the callback ends, or `beginCall`. */
export function freeSlot(): i32 {
  for (let slot = 0; slot < MAX_CALLS; slot++) {
    if (callAt(slot).owner == 0) return slot;
  }
  return NONE;
}

/** The host has taken the call and given it a token. Whoever had that token before is not answered any more. */
export function beginCall(
  slot: i32,
  token: u32,
  rootId: u32,
  owner: CallOwner,
  sentAtNanoseconds: i64,
  lifetimeNanoseconds: i64,
): void {
  const former = findCall(token);
  if (former != NONE) giveUp(former);
  const call = callAt(slot);
  call.sentAtNanoseconds = sentAtNanoseconds;
  call.lifetimeNanoseconds = lifetimeNanoseconds;
  call.token = token;
  call.rootId = rootId;
  call.owner = changetype<usize>(owner);
  call.isReleased = false;
  callsUnderWay++;
  lastBegunAtNanoseconds = sentAtNanoseconds;
}

/** The answer to a call. An unknown token is of a call that has been given up, or that never began. */
export function onGrpcReceive(token: u32, size: u32): void {
  const slot = findCall(token);
  if (slot == NONE) return;
  ownerOf(slot).onAnswer(slot, size);
  free(slot);
}

/** A call has ended without an answer. */
export function onGrpcClose(token: u32, status: u32): void {
  const slot = findCall(token);
  if (slot == NONE) return;
  ownerOf(slot).onFailure(slot, status);
  free(slot);
}

/** Releases the calls of a root, and those of an owner. */
export function releaseCalls(rootId: u32, owner: CallOwner | null): void {
  for (let slot = 0; slot < MAX_CALLS; slot++) {
    const call = callAt(slot);
    if (call.owner == 0 || call.isReleased) continue;
    if (call.rootId != rootId && call.owner != changetype<usize>(owner)) continue;
    call.isReleased = true;
    ownerOf(slot).onRelease(slot);
  }
}

/** Gives up calls that the host should have ended. A clock that was set back ends them all. */
export function expireCalls(now: i64): void {
  if (callsUnderWay == 0) return;
  for (let slot = 0; slot < MAX_CALLS; slot++) {
    const call = callAt(slot);
    const age = now - call.sentAtNanoseconds;
    if (call.owner != 0 && (age < 0 || age >= call.lifetimeNanoseconds)) giveUp(slot);
  }
}

function giveUp(slot: i32): void {
  if (!callAt(slot).isReleased) ownerOf(slot).onFailure(slot, NO_STATUS);
  free(slot);
}

function free(slot: i32): void {
  callAt(slot).owner = 0;
  callsUnderWay--;
}

function ownerOf(slot: i32): CallOwner {
  return changetype<CallOwner>(callAt(slot).owner);
}

function findCall(token: u32): i32 {
  for (let slot = 0; slot < MAX_CALLS; slot++) {
    if (callAt(slot).owner != 0 && callAt(slot).token == token) return slot;
  }
  return NONE;
}
