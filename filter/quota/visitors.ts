import { View, lengthOf, view } from "../bytes/view";
import { Api } from "../tables/api";
import { CROWD_ID, VISITOR_ID, counterId } from "../tables/counterId";
import { Tables } from "../tables/tables";
import { cutAddress, networkHigh, networkLow, readClientAddress } from "../request/address";
import { findHeader, headerValue } from "../request/headers";
import { Per } from "../tables/quota";
import { Counters } from "./counters";
import { evict } from "./sweep";

/**
 * Visitors: callers without a key that have a plan all the same, each counted by address or by a header's value; and the addresses of whoever
 * has a key, where a quota counts those. There may be any number of them, so what is kept of them is bounded twice:
 *
 *   cells     in shared data, in shards of their own, of which each takes so many. A cell stays until its window is over, and no newcomer
 *             takes its place before: whoever is counted goes on being counted. Newcomers that find no place are a crowd.
 *   balances  in each VM: a cache of the cells. The next one makes room, and what it had leased goes back.
 *
 * A crowd shares one counter, with the limit of one visitor. There are CROWD_COUNT of them, by the network around the address: whoever owns
 * one network, however large, crowds out nobody but its neighbours. Header values have no neighbours, and are one crowd. Addresses of one
 * consumer have no crowd in common with those of another.
 */
export const VISITOR_SHARD_COUNT: u32 = 1024;
/** Cells of one shard: 128 × 1,024 counters, of 56 bytes each. */
export const VISITOR_CELLS = 128;
const MOST_BALANCES = 8192;
export const CROWD_COUNT = 256;
/** Bits of an IPv4 and of an IPv6 address that a crowd has in common. */
const CROWD_BITS_4 = 16;
const CROWD_BITS_6 = 32;
/** More than an id of a device has; a longer value counts as none. */
const MAX_MARK_BYTES = 256;

const BY_ADDRESS: u8 = 0;
const BY_HEADER: u8 = 1;
const UNKNOWN: u8 = 2;

const NETWORK: usize = memory.data(16, 8);

/** The current visitor. */
export let visitorId: u64 = 0;
/** What the current request's address is known by, where something is counted by it. */
export let addressId: u64 = 0;
let isAddressKnown: bool = false;
let isByHeader: bool = false;

/** Finds out which visitor of the API the request comes from. Those of whom nothing is known are one visitor. */
export function identifyVisitor(tables: Tables, api: Api): void {
  isByHeader = lengthOf(api.visitorHeader) > 0;
  if (isByHeader) return identifyByHeader(api.visitorHeader);
  identifyAddress(tables);
  visitorId = addressId;
}

function identifyByHeader(name: View): void {
  const at = findHeader(name);
  const value = at < 0 || findHeader(name, at + 1) >= 0 ? view(NETWORK, 0) : headerValue(at);
  const isUsable = lengthOf(value) > 0 && lengthOf(value) <= MAX_MARK_BYTES;
  visitorId = isUsable ? counterId(VISITOR_ID, BY_HEADER, value) : unknownId();
}

/** Finds out which address the request comes from. All that are not known are one. */
function identifyAddress(tables: Tables): void {
  isAddressKnown = readClientAddress(tables.trustedHops);
  if (isAddressKnown) cutAddress(tables.addressBits4, tables.addressBits6);
  addressId = isAddressKnown ? counterId(VISITOR_ID, BY_ADDRESS, network()) : unknownId();
}

function unknownId(): u64 {
  return counterId(VISITOR_ID, UNKNOWN, view(NETWORK, 0));
}

/** The crowd of a visitor or an address that finds no place for a counter of its own of such a quota. */
export function crowdId(per: Per): u64 {
  if (!isAddressKnown || (isByHeader && per != Per.Address)) return CROWD_COUNT;
  cutAddress(CROWD_BITS_4, CROWD_BITS_6);
  return 1 + (counterId(CROWD_ID, 0, network()) % (CROWD_COUNT - 1));
}

function network(): View {
  store<u64>(NETWORK, networkHigh);
  store<u64>(NETWORK, networkLow, 8);
  return view(NETWORK, 16);
}

/** Finds out which address the request comes from, and makes room in this VM for so many counters of it. */
export function makeAddressRoom(tables: Tables, counters: Counters, counted: i32, now: i64): void {
  const visitors = counters.visitors;
  // A visitor has room, and may be known by its address already.
  if (visitors == null) {
    if (isByHeader) identifyAddress(tables);
    return;
  }
  identifyAddress(tables);
  // Each may need the address's balance and its crowd's.
  makeVisitorRoom(visitors, 2 * counted, now);
  visitors.balances.reserve(2 * counted);
}

/** Makes room in this VM for the balances of one more visitor. */
export function makeVisitorRoom(visitors: Counters, more: i32, now: i64): void {
  let excess = visitors.balances.count + more - MOST_BALANCES;
  // Every step removes a balance or looks at some free slots, of which there are few.
  for (let steps = 4 * more; excess > 0 && steps > 0; steps--) {
    if (evict(visitors, now)) excess--;
  }
}
