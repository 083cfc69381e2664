import { View } from "../bytes/view";
import { Reason } from "../decision/decision";
import { UsageRow } from "../usage/usage";
import { KeySourceList } from "./keySource";
import { Mode, QuotaList } from "./quota";

/** What becomes of a CORS preflight. */
export const enum Preflight {
  /** Decided as any request, so that it needs a key. */
  Deny,
  /** It passes to the upstream without a key. */
  Allow,
  /** The module answers it, by the API's cors. */
  Answer,
}


@unmanaged
export class Api extends KeySourceList {
  name: View;
  /** First 64 bits of a digest of the name: part of the identity of counters kept per API. */
  id: u64;
  firstOffer: i32;
  offerCount: i32;
  firstRoute: i32;
  routeCount: i32;
  /** Routes to look through one by one: all, or none where there is an index. */
  scannedRoutes: i32;
  /** The header by whose value the index finds routes, or ABSENT; and the routes that it does not know. */
  keyHeader: View;
  firstOther: i32;
  otherCount: i32;
  /** A list of Credential, four bits each; see `takes`. */
  credentials: u32;
  /** The reason for refusing a request without any of them: that the key is missing, or whatever the API takes. */
  unidentified: Reason;
  anonymous: bool;
  /** The plan of callers without a key, or NONE; and the offer of it here. Until everything is read, the plan's name in the document. */
  visitorPlan: i32;
  visitorOffer: i32;
  /** The header by whose value they are counted; ABSENT for their address. */
  visitorHeader: View;
  preflight: Preflight;
  /** Its cors, with `Preflight.Answer`. */
  cors: i32;
  /** Requests that match none of its operations pass. */
  unlistedAllowed: bool;
  /** True when there is more to an API than its plans: what most have not costs their requests one look here. */
  isSpecial: bool;
  /** True when it, an operation or a route of it has a lifecycle. */
  hasLife: bool;
  /** True when there is something left to do once a request is decided. */
  isFollowed: bool;
  /** True when it has a lifecycle, or paths that are read again. */
  isEntered: bool;
  /** What is data in its paths: a bit for each (see request/pathData); and HAS_COST. */
  pathData: u32;
  /** Units that a request takes from each quota that none of its operations is. */
  cost: i64;
  /** How the answers to those are settled: the index among `Tables.settlements`, or NOT_SETTLED. */
  settlement: i32;
  /** The path, below its own, at which callers are told of their quotas, or ABSENT; and how often a minute a consumer may ask. */
  mePath: View;
  mePerMinute: i32;
  lifecycle: i32;
  firstOperation: i32;
  operationCount: i32;
  /** Where its templates begin in the tree. */
  operationRoot: i32;
  /** Once everything is read, never Inherited. */
  mode: Mode;
  /** The route for requests that no other route takes: `<api>/default`. */
  defaultRoute: View;
  /** Where requests are counted whose decision comes to no plan. */
  usage: UsageRow;
  /** Where those of them are counted that only observing let pass; 0 in a policy that observes nothing. */
  observed: UsageRow;
}

/** What pages on other origins may do with an API. Names are contiguous in `Tables.values`, and listed once more as answers list them. */
@unmanaged
export class Cors {
  firstOrigin: i32;
  originCount: i32;
  firstMethod: i32;
  methodCount: i32;
  firstHeader: i32;
  headerCount: i32;
  firstExposed: i32;
  exposedCount: i32;
  methodText: View;
  headerText: View;
  exposedText: View;
  /** How long a browser may keep the answer to a preflight, or NONE for the browser's own time. */
  maxAgeSeconds: i32;
  credentials: bool;
}

/** An origin that an API's cors allows. */
@unmanaged
export class Origin {
  /** The whole origin, or `*`; of `https://*.example.com` it is `https://`. */
  start: View;
  /** Of `https://*.example.com` it is `.example.com`, with a port if there is one; otherwise ABSENT. */
  domain: View;
  cors: i32;
  isAny: bool;
}

/** Who may call an operation without a key. */
export const enum Anonymous {
  /** Whoever may call the API without one. */
  AsApi,
  Deny,
  Allow,
}

/** What an API lists: some methods at a template of paths. Those at the same template follow each other by `next`. */
@unmanaged
export class Operation extends QuotaList {
  /** A bit for each of its own quotas that is only observed. */
  observedQuotas: u32;
  name: View;
  path: View;
  /** First 64 bits of a digest of the API's name and its own. */
  id: u64;
  /** Units that a request takes from each quota. */
  cost: i64;
  /** How its answers are settled: the index among `Tables.settlements`, or NOT_SETTLED. */
  settlement: i32;
  /** A bit for each scope that the consumer must have. */
  scopes: u64;
  /** Its methods among `Tables.values`; none for any. */
  firstMethod: i32;
  methodCount: i32;
  /** The plans among `Tables.references` of which the caller must have one; none for any. */
  firstPlan: i32;
  planCount: i32;
  anonymous: Anonymous;
  next: i32;
  /** Of the one that tells callers of their quotas: how often a minute a consumer may ask; 0 of what the API lists. */
  mePerMinute: i32;
  /** Where its requests are counted. */
  usage: UsageRow;
  lifecycle: i32;
}

/** Beside what is data in an API's paths, and above all of that: it says what requests cost, or an operation that answers settle it. */
export const HAS_COST: u32 = 4;

/** Of requests that cost what they cost, whatever their answers say. */
export const NOT_SETTLED: i32 = 0;

/** What the answer to a request says of its cost (see quota/settlement). */
@unmanaged
export class Settlement {
  /** The response header that holds the units, or ABSENT. */
  header: View;
  /** More than this many units count as this many. */
  most: i64;
  /** Only what was successful counts. */
  successOnly: bool;
}

/** A plan that an API offers. */
@unmanaged
export class Offer {
  planName: View;
  plan: i32;
  api: i32;
  /** The record in which its requests are counted. */
  usage: UsageRow;
  /** Where those of them are counted that only observing let pass; 0 in a policy that observes nothing. */
  observed: UsageRow;
  /** True when a subscription to this plan on this API is only observed. */
  observes: bool;
  /** A bit for each quota of the plan that is only observed on this API. */
  observedQuotas: u32;
}
