import { NONE } from "../bytes/rows";
import { sha256 } from "../bytes/sha256";
import { ABSENT, View, lengthOf, pointerOf } from "../bytes/view";
import { MAX_WORKLOAD_BYTES } from "../config/contract";
import { Reason, decision } from "../decision/decision";
import { KEY_DIGEST } from "../keyring/keyring";
import { CREDENTIAL_BITS, Credential, takes } from "../tables/alias";
import { Api } from "../tables/api";
import { Tables } from "../tables/tables";
import { verifiedWorkload } from "./evidence";
import { Finding, findKey, forgetKey } from "./key";
import { findToken, identifyToken } from "./token";

/** `Allowed` where the owner of the credential is a consumer; meaningful only after `Finding.Other`. */
export let owner: Reason = Reason.Allowed;

/**
 * The first of the API's credentials that the request has, whatever it is worth. The key sources of an API that takes no keys are not
 * looked at; those of one that does are, whichever comes first, because a key must go no further.
 */
export function findCredential(tables: Tables, api: Api): Finding {
  const key = takes(api.credentials, Credential.Key) ? findKey(api) : forgetKey(api);
  for (let rest = api.credentials; rest != 0; rest >>= CREDENTIAL_BITS) {
    const credential = rest & ((1 << CREDENTIAL_BITS) - 1);
    if (credential == Credential.Workload) {
      const id = verifiedWorkload(!tables.trustsListeners);
      if (id == ABSENT) continue;
      owner = identifyWorkload(tables, id);
      return Finding.Other;
    }
    if (credential == Credential.Key) {
      if (key != Finding.Missing) return key;
    } else if (findToken(tables)) {
      owner = identifyToken(tables, api);
      return Finding.Other;
    }
  }
  return key;
}

/** Workload to consumer. Of an id that is nobody's, nothing is logged. */
function identifyWorkload(tables: Tables, id: View): Reason {
  if (lengthOf(id) > MAX_WORKLOAD_BYTES) return Reason.UnknownWorkload;
  const number = tables.workloads.find(id);
  if (number == NONE) return Reason.UnknownWorkload;
  const alias = tables.workloads.rows.at(number);
  // what a quota per key counts by
  sha256(pointerOf(id), lengthOf(id), KEY_DIGEST);
  decision.keyId = alias.name;
  decision.consumer = alias.consumer;
  return Reason.Allowed;
}
