import { NONE } from "../bytes/rows";
import { View, byteAt, lengthOf, literal, pointerOf, view } from "../bytes/view";
import { MAX_COST_HEADER_BYTES, MAX_QUOTAS } from "../config/contract";
import { NO_STANDINGS, decision } from "../decision/decision";
import { expectEnd, forgetEnd } from "../inFlight/expected";
import { Pair, PairTable } from "../inFlight/pairTable";
import { findHeader, headerValue } from "../request/headers";
import { NOT_SETTLED, Settlement } from "../tables/api";
import { QuotaKind } from "../tables/quota";
import { Tables } from "../tables/tables";
import { Charge, Standing, UNKNOWN, bill, standingAt } from "./attempt";
import * as Bucket from "./bucket";
import { Counters } from "./counters";
import { Charged, draft, draftAt, drafted, draftedQuotas, forgetDraft } from "./charged";
import * as Local from "./local";
import * as Mesh from "./mesh";

/*
 * What a request costs may be known only once it is answered: nothing where the upstream has failed, or as many units as a header of the
 * answer says. Until then its quotas hold what was reserved. That is also what a request costs that never settles: one that is reset before
 * it is answered, or whose VM ends.
 *
 *   request   the reserved units are taken from all quotas, or from none; `remember` keeps from which counters
 *   answer    fewer units: the others go back to the window that they came from, and to no other
 *             more: they are taken from the window that is now open, even past the limit, so that further requests are refused
 *   end       what is not settled by then is forgotten
 *
 * Each request in flight can pass a limit by `most` less what it reserved, and by no more. The policy may be edited between request and
 * answer, so nothing that is kept points into tables.
 */

/** Streams of a VM whose answers are settled; a request beyond them costs what it reserved. */
const MAX_SETTLING: i32 = 16384;

/** How the answer of a stream is read: `first` is its number. */
@unmanaged
class Expected extends Pair {
  reserved: i64;
  /** More units than these count as these. */
  most: i64;
  counterCount: i32;
  successOnly: bool;
  /** Length of the header's name, which follows the record; 0: no header tells the units. */
  nameBytes: u8;
  padding: u16;
}

const NAME_AT: usize = offsetof<Expected>();

/** All streams of this VM whose answers are to be settled, and the counters of each: `second` counts them from 1. */
const streams: PairTable = new PairTable(NAME_AT + MAX_COST_HEADER_BYTES);
const counters: PairTable = new PairTable(offsetof<Charged>());

/** How many streams those are. */
export let settling: i32 = 0;

/** Remembers what the request just decided was charged to, if its answer settles that. */
export function remember(tables: Tables, own: Counters, streamId: u32, passes: bool): void {
  const settlement = passes ? settlementOf(tables) : null;
  if (settlement != null && settling < MAX_SETTLING) {
    draftRest(tables, own);
    if (drafted > 0) keep(settlement, streamId);
  }
  forgetDraft();
}

/** Null where the answer says nothing of the cost, or nothing was charged. */
function settlementOf(tables: Tables): Settlement | null {
  if (decision.api == NONE || decision.isNobodys || decision.standings == NO_STANDINGS) return null;
  const number =
    decision.operation == NONE
      ? tables.apis.at(decision.api).settlement
      : tables.operations.at(decision.operation).settlement;
  return number == NOT_SETTLED ? null : tables.settlements.at(number);
}

/** Those in force are noted already where others are only observed, which have taken units of their own. */
function draftRest(tables: Tables, own: Counters): void {
  const plan = bill.plan;
  const visitors = bill.consumer == NONE && plan != NONE ? own.visitors : null;
  const owner = visitors == null ? own : visitors;
  if (plan != NONE && bill.operation == NONE && !tables.plans.at(plan).isUnusual)
    return draft(owner, tables.plans.at(plan).quotaCount);
  if (bill.observed == Charge.Enough) draft(owner, bill.quotaCount - draftedQuotas);
}

function keep(settlement: Settlement, streamId: u32): void {
  forgetSettlement(streamId);
  const expected = changetype<Expected>(streams.open(streamId, 0));
  expected.reserved = bill.cost;
  expected.most = settlement.most;
  expected.successOnly = settlement.successOnly;
  expected.nameBytes = <u8>lengthOf(settlement.header);
  memory.copy(changetype<usize>(expected) + NAME_AT, pointerOf(settlement.header), expected.nameBytes);
  expected.counterCount = drafted;
  for (let i = 0; i < drafted; i++) {
    const to = counters.open(streamId, i + 1);
    const size = offsetof<Charged>() - offsetof<Pair>();
    memory.copy(to + offsetof<Pair>(), changetype<usize>(draftAt(i)) + offsetof<Pair>(), size);
  }
  settling++;
  expectEnd();
}

/** True for a stream whose answer is to be settled. */
export function isSettling(streamId: u32): bool {
  return streams.find(streamId, 0) != 0;
}

/** The stream has ended, or what was reserved is what it costs. Nothing happens for one that is not settled. */
export function forgetSettlement(streamId: u32): void {
  const found = streams.find(streamId, 0);
  if (found == 0) return;
  const count = changetype<Expected>(found).counterCount;
  for (let i = 1; i <= count; i++) counters.remove(counters.find(streamId, i));
  streams.remove(found);
  settling--;
  forgetEnd();
}

/**
 * Settles what a stream's request has cost, by the headers of its answer, which `readHeaders` has read; once for each stream. True when that
 * was not what it had reserved: then the standings are those of the request's quotas as they are now.
 */
export function settleAnswer(streamId: u32, now: i64): bool {
  const found = streams.find(streamId, 0);
  if (found == 0) return false;
  const expected = changetype<Expected>(found);
  const more = unitsOf(expected) - expected.reserved;
  if (more != 0) {
    for (let i = 0; i < MAX_QUOTAS; i++) hideStanding(standingAt(i));
    for (let i = 1; i <= expected.counterCount; i++)
      settleCounter(changetype<Charged>(counters.find(streamId, i)), more, now);
  }
  forgetSettlement(streamId);
  return more != 0;
}

function hideStanding(standing: Standing): void {
  standing.limit = -1;
  standing.remaining = UNKNOWN;
}

function settleCounter(charged: Charged, more: i64, now: i64): void {
  const owner = changetype<Counters>(charged.owner);
  const balance = owner.balances.find(charged.consumerId, charged.meter);
  if (charged.kind == QuotaKind.Local) Local.correct(owner.pool, balance, charged, more, now);
  else if (charged.kind == QuotaKind.Bucket) Bucket.correct(owner.pool, balance, charged, more, now);
  else Mesh.correct(owner.service, balance, charged, more, now);
  if (!charged.isShown) return;
  const standing = standingAt(charged.index);
  standing.limit = charged.limit;
  standing.remaining = charged.remaining;
  standing.resetSeconds = charged.resetSeconds;
  standing.windowSeconds = charged.windowSeconds;
}

const STATUS = literal(":status");
const GRPC_STATUS = literal("grpc-status");
const ZERO: u8 = 0x30;
const TWO: u8 = 0x32;
/** A longer value is no number. */
const MAX_DIGITS = 32;

/** What the answer says that the request has cost. */
function unitsOf(expected: Expected): i64 {
  if (expected.successOnly && !isSuccess()) return 0;
  if (expected.nameBytes == 0) return expected.reserved;
  const name = view(changetype<usize>(expected) + NAME_AT, expected.nameBytes);
  const at = findHeader(name);
  // Of two values neither is known to be meant.
  if (at < 0 || findHeader(name, at + 1) >= 0) return expected.reserved;
  return readUnits(headerValue(at), expected.most, expected.reserved);
}

/** A status of 2xx; of a gRPC answer that ends with its headers, OK as well. */
function isSuccess(): bool {
  const at = findHeader(STATUS);
  if (at < 0 || lengthOf(headerValue(at)) == 0 || byteAt(headerValue(at), 0) != TWO) return false;
  const grpc = findHeader(GRPC_STATUS);
  return grpc < 0 || (lengthOf(headerValue(grpc)) == 1 && byteAt(headerValue(grpc), 0) == ZERO);
}

/** A whole number in decimal digits, at most `most`; `otherwise` for anything else. */
export function readUnits(value: View, most: i64, otherwise: i64): i64 {
  const length = lengthOf(value);
  if (length == 0 || length > MAX_DIGITS) return otherwise;
  let units: i64 = 0;
  for (let i = 0; i < length; i++) {
    const digit = byteAt(value, i) - ZERO;
    if (digit > 9) return otherwise;
    units = min(units * 10 + digit, most);
  }
  return units;
}
