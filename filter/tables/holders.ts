import { MAX_COUNTED } from "../config/contract";
import { Usage } from "../usage/usage";
import { ABSENT } from "../bytes/view";
import { METER_ID, OFFER_ID, WARNING_ID, counterId, pairId } from "./counterId";
import { WARNING } from "./disclosure";
import { Tables } from "./tables";
import { QuotaList } from "./quota";
import { Offer } from "./api";

/**
 * Makes requests count into `usage`; to be called before the first decision. The first `MAX_COUNTED` APIs, and pairs of API and plan, are
 * counted separately, because the host never removes a series.
 */
export function holdUsage(tables: Tables, usage: Usage): void {
  for (let i = 0; i < tables.apis.count; i++) {
    const api = tables.apis.at(i);
    api.usage = i < MAX_COUNTED ? usage.hold(api.id) : usage.rest;
  }
  for (let i = 0; i < tables.operations.count; i++) {
    const operation = tables.operations.at(i);
    operation.usage =
      i < MAX_COUNTED ? usage.hold(withQuotas(tables, operation.id, operation)) : usage.restOfOperations;
  }
  for (let i = 0; i < tables.offers.count; i++) {
    const offer = tables.offers.at(i);
    offer.usage = i < MAX_COUNTED ? usage.hold(offerId(tables, offer)) : usage.rest;
  }
  if (tables.observes) holdObserved(tables, usage);
  if ((tables.rateLimitHeaders & WARNING) != 0) holdWarnings(tables, usage);
}

function holdWarnings(tables: Tables, usage: Usage): void {
  let count = 0;
  for (let i = 0; i < tables.plans.count; i++) {
    const plan = tables.plans.at(i);
    for (let q = plan.firstQuota; q < plan.firstQuota + plan.quotaCount; q++) {
      const quota = tables.quotas.at(q);
      if (quota.warnAt == 0) continue;
      const id = pairId(WARNING_ID, 0, plan.name, quota.name) ^ (<u64>quota.warnAt);
      quota.isWarningCounted = count++ < MAX_COUNTED;
      quota.warnings = quota.isWarningCounted ? usage.hold(id) : usage.restOfWarnings;
    }
  }
}

function releaseWarnings(tables: Tables): void {
  for (let i = 0; i < tables.quotas.count; i++) {
    const quota = tables.quotas.at(i);
    if (quota.isWarningCounted) quota.warnings.holders--;
  }
}

/** Distinguishes a row of what was observed from that of the same names. */
const OBSERVED_ID: u64 = 0x6f62736572766564;

function holdObserved(tables: Tables, usage: Usage): void {
  for (let i = 0; i < tables.apis.count; i++) {
    const api = tables.apis.at(i);
    api.observed = i < MAX_COUNTED ? usage.hold(api.id ^ OBSERVED_ID) : usage.observedRest;
  }
  for (let i = 0; i < tables.offers.count; i++) {
    const offer = tables.offers.at(i);
    offer.observed = i < MAX_COUNTED ? usage.hold(offerId(tables, offer) ^ OBSERVED_ID) : usage.observedRest;
  }
}

/** Undoes `holdUsage`; the counts must have been flushed before. */
export function releaseUsage(tables: Tables): void {
  for (let i = 0; i < min(tables.apis.count, MAX_COUNTED); i++) tables.apis.at(i).usage.holders--;
  for (let i = 0; i < min(tables.operations.count, MAX_COUNTED); i++) tables.operations.at(i).usage.holders--;
  for (let i = 0; i < min(tables.offers.count, MAX_COUNTED); i++) tables.offers.at(i).usage.holders--;
  if ((tables.rateLimitHeaders & WARNING) != 0) releaseWarnings(tables);
  if (!tables.observes) return;
  for (let i = 0; i < min(tables.apis.count, MAX_COUNTED); i++) tables.apis.at(i).observed.holders--;
  for (let i = 0; i < min(tables.offers.count, MAX_COUNTED); i++) tables.offers.at(i).observed.holders--;
}

function offerId(tables: Tables, offer: Offer): u64 {
  const id = pairId(OFFER_ID, 0, tables.apis.at(offer.api).name, offer.planName);
  return withQuotas(tables, id, tables.plans.at(offer.plan));
}

/** Differs where the names of quotas, or their order, differ: a row counts quotas by number. */
function withQuotas(tables: Tables, id: u64, list: QuotaList): u64 {
  for (let i = 0; i < list.quotaCount; i++) {
    const quota = tables.quotas.at(list.firstQuota + i);
    id = rotl<u64>(id, 7) ^ (quota.counter == ABSENT ? quota.meter : counterId(METER_ID, 0, quota.name));
  }
  return id;
}
