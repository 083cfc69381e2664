import { NONE } from "../bytes/rows";
import { ABSENT } from "../bytes/view";
import { decision } from "../decision/decision";
import { KEY_DIGEST } from "../keyring/keyring";
import { KEY_ID, counterId } from "../tables/counterId";
import { Per, QuotaKind } from "../tables/quota";
import { Tables, findMembership } from "../tables/tables";

/*
 * The counter of a quota that does not count per consumer. What is narrower is added to the meter, so that it stays the consumer's own:
 * no two consumers share it, whatever their APIs, operations and keys are called. A group takes the consumer's place.
 */

/** What tells the counters of one consumer apart: the id of the request's API or operation, or what its key is known by. */
export function narrowed(tables: Tables, per: Per, kind: QuotaKind, api: i32): u64 {
  if (per == Per.Key) return keyPart(kind);
  const id = tables.apis.at(api).id;
  // What an API does not list is counted together. Quotas that an operation has of its own are known by its id alone.
  if (per == Per.Operation && decision.operation != NONE) return id ^ tables.operations.at(decision.operation).id;
  return id;
}

/**
 * In Envoy a key is known by the beginning of its digest. The rate limit service is told no part of a digest, but the key's id: its stock
 * here must be that of the same counter.
 */
function keyPart(kind: QuotaKind): u64 {
  if (decision.keyId == ABSENT) return 0;
  return kind == QuotaKind.Mesh ? counterId(KEY_ID, 0, decision.keyId) : load<u64>(KEY_DIGEST);
}

/** The id of the consumer's group, or its own if it has none. */
export function groupOf(tables: Tables, consumer: i32, ownId: u64): u64 {
  const membership = findMembership(tables, consumer);
  return membership == null ? ownId : membership.group;
}
