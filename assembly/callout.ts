import { NONE } from "../filter/index";

/**
 * Calls to other services that are under way. The host identifies a call by a token and answers it in a callback of the root that
 * made it, or never if that root is gone. This file maps tokens to the owners of calls, and ends calls that are never answered.
 *
 * A call has a slot while it is under way; its owner keeps the call's contents under the slot's number.
 */
export const MAX_CALLS = 64;
/** Given to an owner in place of a status when the call was given up because its lifetime is over. */
export const NO_STATUS: u32 = 0xffffffff;

/** Makes calls and gets their answers. Must live as long as the VM, because slots hold its bare address. */
export abstract class CallOwner {
  /** The answer has come and has `size` bytes; the host keeps it until the callback ends. */
  abstract onAnswer(slot: i32, size: u32): void;

  /** The call has ended without an answer, with a status or NO_STATUS. */
  abstract onFailure(slot: i32, status: u32): void;

  /** The root is gone or replaced, so the answer may never come: other calls may ask again. If it does come, it still counts. */
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

/** Number of calls under way, including released ones. */
export let callsUnderWay: i32 = 0;
export let lastBegunAtNanoseconds: i64 = 0;

function callAt(slot: i32): Callout {
  return changetype<Callout>(CALLS + <usize>slot * offsetof<Callout>());
}

/** A slot for one more call, or NONE when all are in use. The caller may use it until the callback ends or `beginCall` takes it. */
export function freeSlot(): i32 {
  for (let slot = 0; slot < MAX_CALLS; slot++) {
    if (callAt(slot).owner == 0) return slot;
  }
  return NONE;
}

/** Registers a call that the host has accepted, with its token. An older call with the same token is given up. */
export function beginCall(
  slot: i32,
  token: u32,
  rootId: u32,
  owner: CallOwner,
  sentAtNanoseconds: i64,
  lifetimeNanoseconds: i64,
): void {
  const previous = findCall(token);
  if (previous != NONE) giveUp(previous);
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

/** Passes an answer to the call's owner. An unknown token belongs to a call that was given up or never registered. */
export function onGrpcReceive(token: u32, size: u32): void {
  const slot = findCall(token);
  if (slot == NONE) return;
  ownerOf(slot).onAnswer(slot, size);
  free(slot);
}

/** Tells the owner that its call has ended without an answer. */
export function onGrpcClose(token: u32, status: u32): void {
  const slot = findCall(token);
  if (slot == NONE) return;
  ownerOf(slot).onFailure(slot, status);
  free(slot);
}

/** Releases the calls of a root and those of an owner. */
export function releaseCalls(rootId: u32, owner: CallOwner | null): void {
  for (let slot = 0; slot < MAX_CALLS; slot++) {
    const call = callAt(slot);
    if (call.owner == 0 || call.isReleased) continue;
    if (call.rootId != rootId && call.owner != changetype<usize>(owner)) continue;
    call.isReleased = true;
    ownerOf(slot).onRelease(slot);
  }
}

/** Gives up calls that the host should have ended by now. When the clock was set back, gives up all of them. */
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
