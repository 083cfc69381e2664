import { begin, end, writeByte, writeView } from "../bytes/arena";
import { NONE } from "../bytes/rows";
import { sha256 } from "../bytes/sha256";
import { ABSENT, View, equals, lengthOf, literal, pointerOf } from "../bytes/view";
import { MAX_ISSUER_BYTES, MAX_NAME_BYTES, MAX_SUBJECT_BYTES } from "../config/contract";
import { Reason, decision } from "../decision/decision";
import { KEY_DIGEST } from "../keyring/keyring";
import { placeOfGrant } from "../operation/choose";
import { Api } from "../tables/api";
import { Consumer, Grant } from "../tables/consumer";
import { Tables } from "../tables/tables";
import { Issuer } from "../tables/token";
import { nextString, openClaim } from "./claim";
import { verifiedClaim } from "./evidence";
import { stripToken } from "./key";

/*
 * A token is a credential when Envoy has verified it and the policy names its issuer. Several filters of one Envoy may verify tokens, and
 * leave what they say in one place, so the module asks itself for issuer and audience.
 *
 * What a token says of plan and scopes stands in the place of what the consumer has, for as long as its request is decided: in the
 * consumer's own records, so that no other request pays for a look at where they come from. `giveBack` ends that.
 */
const ISS = literal("iss");
const AUD = literal("aud");

/** Index of the issuer of the token; meaningful only after `findToken`. */
let issuer: i32 = NONE;

/** The records that hold what a token says, or 0; and what they held. */
let lentConsumer: usize = 0;
let lentGrant: usize = 0;
let ownPlan: i32 = NONE;
let ownScopes: u64 = 0;

/** True when the request has a verified token of an issuer of the policy, for an audience of the policy. */
export function findToken(tables: Tables): bool {
  const iss = verifiedClaim(ISS);
  issuer = iss == ABSENT || lengthOf(iss) > MAX_ISSUER_BYTES ? NONE : tables.tokens.issuing(iss);
  return issuer != NONE && isForUs(tables, tables.tokens.issuers.at(issuer));
}

function isForUs(tables: Tables, record: Issuer): bool {
  if (record.audienceCount == 0) return true;
  const aud = verifiedClaim(AUD);
  // one audience may hold spaces
  if (!openClaim(aud)) return isAudience(tables, record, aud);
  for (let item = nextString(); item != ABSENT; item = nextString()) {
    if (isAudience(tables, record, item)) return true;
  }
  return false;
}

function isAudience(tables: Tables, record: Issuer, audience: View): bool {
  for (let i = 0; i < record.audienceCount; i++) {
    if (equals(tables.values.at(record.firstAudience + i).value, audience)) return true;
  }
  return false;
}

/** The token's owner to consumer, who lends its records to what the token says. Of an owner that is nobody's, nothing is logged. */
export function identifyToken(tables: Tables, api: Api): Reason {
  const record = tables.tokens.issuers.at(issuer);
  if (!record.forwards) stripToken();
  const owner = verifiedClaim(record.consumerClaim);
  if (owner == ABSENT || lengthOf(owner) > MAX_SUBJECT_BYTES) return Reason.UnknownSubject;
  const number = tables.tokens.find(issuer, owner);
  if (number == NONE) return Reason.UnknownSubject;
  const subject = tables.tokens.subjects.at(number);
  digest(record.name, subject.name);
  decision.keyId = subject.name;
  decision.consumer = subject.consumer;
  lend(tables, api, record);
  return Reason.Allowed;
}

/** What a quota per key counts by: one owner has as many tokens as it asks for. */
function digest(issuerName: View, subject: View): void {
  begin(2 * MAX_SUBJECT_BYTES);
  writeView(issuerName);
  writeByte(0);
  writeView(subject);
  const both = end();
  sha256(pointerOf(both), lengthOf(both), KEY_DIGEST);
}

function lend(tables: Tables, api: Api, record: Issuer): void {
  const consumer = tables.consumers.at(decision.consumer);
  const grant = tables.grants.at(placeOfGrant(tables, decision.consumer));
  lentConsumer = changetype<usize>(consumer);
  lentGrant = changetype<usize>(grant);
  ownPlan = consumer.plan;
  ownScopes = grant.scopes;
  if (record.planClaim != ABSENT) {
    const name = verifiedClaim(record.planClaim);
    if (name != ABSENT) consumer.plan = offered(tables, api, name);
  }
  if (record.scopesClaim == ABSENT) return;
  const asked: u64 = decision.operation == NONE ? 0 : tables.operations.at(decision.operation).scopes;
  grant.scopes = asked == 0 ? 0 : scopesAmong(tables, asked, verifiedClaim(record.scopesClaim));
}

/** The plan of this name, if the API offers it; otherwise NONE, as if the consumer had no plan. */
function offered(tables: Tables, api: Api, name: View): i32 {
  if (lengthOf(name) > MAX_NAME_BYTES) return NONE;
  for (let i = api.firstOffer; i < api.firstOffer + api.offerCount; i++) {
    const plan = tables.offers.at(i).plan;
    if (equals(tables.plans.at(plan).name, name)) return plan;
  }
  return NONE;
}

/** A bit for each of the scopes asked for that a claim holds. */
function scopesAmong(tables: Tables, asked: u64, claim: View): u64 {
  let found: u64 = 0;
  openClaim(claim);
  for (let name = nextString(); name != ABSENT; name = nextString()) {
    for (let rest = asked & ~found; rest != 0; rest &= rest - 1) {
      if (equals(tables.scopes.at(<i32>ctz(rest)).value, name)) found |= rest & -rest;
    }
  }
  return found;
}

/** Restores the records of a consumer that a token's request has used. */
export function giveBack(): void {
  if (lentConsumer == 0) return;
  changetype<Consumer>(lentConsumer).plan = ownPlan;
  changetype<Grant>(lentGrant).scopes = ownScopes;
  lentConsumer = 0;
}
