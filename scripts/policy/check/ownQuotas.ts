import { MAX_MESH_QUOTAS, MAX_OPERATION_QUOTAS, MAX_QUOTAS } from '../../contract/table.ts';
import { quote } from '../secret.ts';
import type {
  ApiDraft,
  CostDraft,
  OperationDraft,
  OwnQuotaDraft,
  PlanDraft,
  PolicyDraft,
  QuotaDraft,
  Report,
} from './draft.ts';
import { hasMeshScope } from './quotas.ts';

/** More counters than this make an Envoy slow and large; see docs/quotas.md. */
const MANY_COUNTERS = 1_000_000;

/** Quotas of operations must fit beside those of every plan that the API offers, and let some request through. */
export function checkOwnQuotas(root: PolicyDraft, report: Report): void {
  let count = 0;
  for (const api of root.get('apis').entries) {
    const plans = [...new Set(api.get('plans').strings)].map((plan) => root.get('plans').named(plan));
    for (const operation of api.get('operations').entries) {
      const quotas = operation.get('quotas').entries;
      if (quotas.length === 0) continue;
      const before = count;
      count += quotas.length;
      if (count > MAX_OPERATION_QUOTAS && before <= MAX_OPERATION_QUOTAS)
        report.add(
          operation.get('quotas'),
          `must fit into the ${MAX_OPERATION_QUOTAS} quotas that all operations may have together`,
          count,
        );
      if (count > MAX_OPERATION_QUOTAS) return;
      checkCost(operation, api, quotas, report);
      for (const plan of plans) checkBeside(api, operation, quotas, plan, report);
    }
  }
}

function checkCost(operation: OperationDraft, api: ApiDraft, quotas: readonly OwnQuotaDraft[], report: Report): void {
  const cost = operation.get('cost');
  if (cost.number === 0)
    report.add(cost, 'must be above 0 beside quotas, from which it would take nothing; leave one of them out');
  const units = unitsOf(cost.given ? cost : api.get('cost'));
  for (const quota of quotas) {
    const size = quota.get('burst').given ? quota.get('burst') : quota.get('limit');
    if (size.number !== undefined && size.number >= 1 && size.number < units)
      report.add(size, `must be at least the cost of the operation (${units}), or no request would ever pass`);
  }
}

/** What a request takes before it is answered. */
function unitsOf(cost: CostDraft): number {
  return cost.number ?? cost.get('reserve').number ?? 1;
}

/** A quota that lets the fewest units through at once, of all that a plan has in force. */
interface Narrowest {
  readonly name: string;
  readonly size: number;
}

/** Requests that cost more than a plan's quota ever holds are refused whenever they come. */
export function warnOfCosts(root: PolicyDraft, report: Report): void {
  const mode = root.get('mode').string;
  const plans = root.get('plans').entries;
  const under = (outer: string | undefined): Map<string, Narrowest | undefined> =>
    new Map(plans.map((plan) => [plan.key, narrowestOf(plan, outer)]));
  const narrowest = { enforce: under('enforce'), observe: under('observe') };
  for (const api of root.get('apis').entries) {
    const inApi = narrowest[(api.get('mode').string ?? mode) === 'observe' ? 'observe' : 'enforce'];
    const offered = api.get('plans').strings;
    warnOfCost(api.get('cost'), offered, inApi, report);
    for (const operation of api.get('operations').entries) {
      const own = operation.get('plans');
      warnOfCost(operation.get('cost'), own.given ? own.strings : offered, inApi, report);
    }
  }
}

function warnOfCost(
  cost: CostDraft,
  plans: readonly string[],
  narrowest: ReadonlyMap<string, Narrowest | undefined>,
  report: Report,
): void {
  if (!cost.given) return;
  const units = unitsOf(cost);
  const plan = plans.find((name) => (narrowest.get(name)?.size ?? Infinity) < units);
  if (plan === undefined) return;
  const { name, size } = narrowest.get(plan)!;
  report.add(
    cost,
    `takes ${units} units at once, and the quota ${quote(name)} of the plan ${quote(plan)} never holds more than ${size}, so callers with that plan are always refused`,
    null,
  );
}

/** Of the quotas that are in force where `outer` is the mode of what they stand in. */
function narrowestOf(plan: PlanDraft, outer: string | undefined): Narrowest | undefined {
  return plan
    .get('quotas')
    .entries.filter((quota) => (quota.get('mode').string ?? plan.get('mode').string ?? outer) !== 'observe')
    .map((quota) => ({
      name: quota.key,
      size: (quota.get('burst').given ? quota.get('burst') : quota.get('limit')).number ?? Infinity,
    }))
    .sort((a, b) => a.size - b.size)[0];
}

/** What answers settle needs a quota to be settled with, and an upstream to answer. */
export function warnOfSettlements(root: PolicyDraft, report: Report): void {
  for (const api of root.get('apis').entries) {
    const hasQuota = api
      .get('plans')
      .strings.some((plan) => root.get('plans').named(plan).get('quotas').entries.length > 0);
    const isMocked = api.get('mock').given;
    const own = api.get('operations').entries;
    warnOfSettlement(api.get('cost'), hasQuota || own.some(hasOwnQuota), isMocked, report);
    for (const operation of own)
      warnOfSettlement(
        operation.get('cost'),
        hasQuota || hasOwnQuota(operation),
        isMocked || operation.get('mock').given,
        report,
      );
  }
}

function hasOwnQuota(operation: OperationDraft): boolean {
  return operation.get('quotas').entries.length > 0;
}

function warnOfSettlement(cost: CostDraft, hasQuota: boolean, isMocked: boolean, report: Report): void {
  if (!cost.isMapping) return;
  if (!hasQuota) report.add(cost, 'settles nothing, because no plan of the API has a quota', null);
  else if (isMocked) report.add(cost, 'settles nothing, because a mock answers: only answers of upstreams do', null);
}

/** Answers and logs name quotas without saying whose they are. */
function checkBeside(
  api: ApiDraft,
  operation: OperationDraft,
  quotas: readonly OwnQuotaDraft[],
  plan: PlanDraft,
  report: Report,
): void {
  const offered: readonly QuotaDraft[] = plan.get('quotas').entries;
  const names = new Set(offered.map(({ key }) => key));
  const whose = `the plan ${quote(plan.key)}, which the API "${api.key}" offers`;
  for (const quota of quotas) {
    if (names.has(quota.key)) report.add(quota, `must not have the name of a quota of ${whose}`, quota.key);
  }
  if (quotas.length > MAX_QUOTAS) return;
  const counts: [string, number, number][] = [
    ['quotas', quotas.length + offered.length, MAX_QUOTAS],
    [
      'quotas with "scope: mesh"',
      quotas.filter(hasMeshScope).length + offered.filter(hasMeshScope).length,
      MAX_MESH_QUOTAS,
    ],
  ];
  for (const [what, sum, most] of counts) {
    if (sum > most)
      report.add(operation.get('quotas'), `must be at most ${most} ${what} together with those of ${whose}`, sum);
  }
}

/** Every consumer may have a counter for each. */
export function warnOfManyCounters(root: PolicyDraft, report: Report): void {
  const apis = root.get('apis').entries;
  const operations = apis.flatMap((api) => api.get('operations').entries);
  const quotas = operations.reduce((sum, operation) => sum + operation.get('quotas').entries.length, 0);
  const counters = quotas * root.get('consumers').entries.length;
  if (counters > MANY_COUNTERS)
    report.add(
      root.get('apis'),
      `has operations whose quotas may need a counter for each consumer, ${counters.toLocaleString('en-US')} in all: with more than ${MANY_COUNTERS.toLocaleString('en-US')} in use an Envoy takes over 100 MB and becomes slow; give the quotas to plans, or to fewer operations`,
      null,
    );
}
