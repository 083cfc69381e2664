import { NONE } from "../bytes/rows";
import { ABSENT } from "../bytes/view";
import { decision } from "../decision/decision";
import { KEY_DIGEST } from "../keyring/keyring";
import { Membership } from "../tables/consumer";
import { Per } from "../tables/quota";
import { Tables } from "../tables/tables";

/*
 * The counter of a quota that does not count per consumer. What is narrower is added to the meter, so that it stays the consumer's own:
 * no two consumers share it, whatever their APIs, operations and keys are called. A group takes the consumer's place.
 */

/** What tells the counters of one consumer apart: the id of the request's API or operation, or the beginning of its key's digest. */
export function narrowed(tables: Tables, per: Per, api: i32): u64 {
  if (per == Per.Key) return decision.keyId == ABSENT ? 0 : load<u64>(KEY_DIGEST);
  const id = tables.apis.at(api).id;
  // What an API does not list is counted together. Quotas that an operation has of its own are known by its id alone.
  if (per == Per.Operation && decision.operation != NONE) return id ^ tables.operations.at(decision.operation).id;
  return id;
}

/** The id of the consumer's group, or its own if it has none. */
export function groupOf(tables: Tables, consumer: i32, ownId: u64): u64 {
  const membership = findMembership(tables, consumer);
  return membership == null ? ownId : membership.group;
}

/** Those of consumers that have a group stand in order. */
export function findMembership(tables: Tables, consumer: i32): Membership | null {
  let low = 0;
  let high = tables.memberships.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tables.memberships.at(middle).consumer < consumer) low = middle + 1;
    else high = middle;
  }
  if (low == tables.memberships.count) return null;
  const membership = tables.memberships.at(low);
  return membership.consumer == consumer ? membership : null;
}
