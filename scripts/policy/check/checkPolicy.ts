import type { z } from 'zod';
import { policySchema, type Policy } from '../schema/policy.ts';
import { censor, censorSegment } from '../secret.ts';
import {
  checkAddresses,
  checkAddressQuotas,
  checkVisitors,
  warnOfAddresses,
  warnOfAddressQuotas,
  warnOfVisitors,
} from './addresses.ts';
import { checkCounters, PlansApart, sharedQuotas, warnOfCounters } from './counters.ts';
import { Draft, pathOfTwin, Report, withTwin, type PolicyDraft, type Remark } from './draft.ts';
import { checkCalendars, checkSharedDays, checkSharedWindows, warnOfCalendars } from './calendar.ts';
import { warnOfSlack } from './binding.ts';
import { checkConsumers, checkNames, holdingsIn, Terms } from './consumers.ts';
import { checkDisclosure, warnOfDisclosure, warnOfKeyExpiry } from './disclosure.ts';
import { checkIdentities, checkTokens, warnOfIdentities, warnOfTokens } from './identity.ts';
import { defaultRule, remarksOf } from './issue.ts';
import { checkLifecycles, lifecycleOf, warnOfLifecycle } from './lifecycle.ts';
import { checkRouting, checkTargets } from './mesh.ts';
import { warnOfModes } from './mode.ts';
import { warnOfOpenApis, warnOfPlan, warnOfUnheldPlans, warnOfUnusedApis } from './offer.ts';
import { checkOperations, warnOfOperations } from './operations.ts';
import { checkOwnQuotas, warnOfCosts, warnOfManyCounters, warnOfSettlements } from './ownQuotas.ts';
import { plainCopy } from './plain.ts';
import { checkQuotas, checkRateLimitService, warnOfLongQuotas, warnOfUnusedRateLimitService } from './quotas.ts';
import { checkKeyLimits, warnOfKeyLimits } from './keyLimits.ts';
import { checkKeyRemoval, checkKeySources, warnOfCors } from './keySources.ts';
import { checkHeaders, checkPathData, checkPlaces, checkRoutes, warnOfPatterns } from './routes.ts';

const MAX_RULE_CHARACTERS = 2000;
const MAX_JUDGED = 10_000;

/** Something wrong with a policy, or (as a warning) something that its author probably did not intend. Holds no keys. */
export interface Finding {
  /** Field names, names of the policy's own and list indexes from the root; what looks like a key in them is left out. */
  readonly path: readonly (string | number)[];
  /** What must hold, in words, such as `must be a plan of this policy (free, gold)`. */
  readonly rule: string;
  /** What stands there instead, ready to print: a string in quotes, a number, `a list`. Absent where it says nothing new or could be a key. */
  readonly found?: string;
  readonly severity: 'error' | 'warning';
  /** The field below the path that it is about, where that is missing or not known. */
  readonly field?: string;
}

export type ParsedPolicy =
  | {
      /** With defaults filled in and short forms written out. */
      readonly policy: Policy;
      /** Warnings only. */
      readonly findings: readonly Finding[];
      readonly isWhole: true;
    }
  | {
      readonly policy: null;
      readonly findings: readonly Finding[];
      /** False: there may be more findings, in lists too long to look at every item. */
      readonly isWhole: boolean;
    };

/**
 * Everything that is wrong with a policy, or probably not intended, given as a plain value: what JSON.parse or a YAML
 * reader returns. A policy is valid when no finding has the severity `error`. Never throws, whatever the value holds;
 * `nowSeconds` (since 1970) is for warnings about the past.
 */
export function checkPolicy(value: unknown, nowSeconds: number = Date.now() / 1000): readonly Finding[] {
  return parsePolicy(value, nowSeconds).findings;
}

/** The policy that a plain value is, with its warnings; or no policy, and everything that is wrong with it. Never throws. */
export function parsePolicy(value: unknown, nowSeconds: number = Date.now() / 1000): ParsedPolicy {
  const copy = plainCopy(value);
  if (!copy.isWhole) return { policy: null, findings: copy.remarks.map(findingOf), isWhole: false };
  const judged = judge(copy.value, nowSeconds);
  const settled = new Set(copy.remarks.map(({ path }) => JSON.stringify(path)));
  const findings = [
    ...copy.remarks,
    ...judged.remarks.filter(({ path }) => settled.size === 0 || !settled.has(JSON.stringify(path))),
  ].map(findingOf);
  if (judged.policy === null || copy.remarks.length > 0) return { policy: null, findings, isWhole: judged.isWhole };
  return { policy: judged.policy, findings, isWhole: true };
}

function findingOf({ path, rule, found, severity, field, twin }: Remark): Finding {
  return {
    path: path.map(censorSegment),
    rule: safeRule(twin === undefined ? rule : withTwin(rule, pathOfTwin(twin))),
    severity,
    ...(found !== undefined && { found: censor(found) }),
    ...(field !== undefined && { field: censor(field) }),
  };
}

/** A rule may name what the policy names. */
export function safeRule(rule: string): string {
  return censor(rule.length > MAX_RULE_CHARACTERS ? `${rule.slice(0, MAX_RULE_CHARACTERS)}…` : rule);
}

/** What came of a plain value that holds nothing but what JSON does: its policy and warnings, or no policy and all errors. */
export interface Judged {
  readonly policy: Policy | null;
  readonly remarks: readonly Remark[];
  readonly isWhole: boolean;
}

export function judge(value: unknown, nowSeconds: number): Judged {
  const { policy, issues, isWhole } = parse(value);
  const root = Draft.of(value);
  const errors = new Report('error');
  for (const check of [
    checkNames,
    checkPlaces,
    checkPathData,
    checkQuotas,
    checkCounters,
    checkRateLimitService,
    checkCalendars,
    checkSharedWindows,
    checkSharedDays,
    checkKeySources,
    checkKeyRemoval,
    checkHeaders,
    checkDisclosure,
    checkRoutes,
    checkOperations,
    checkOwnQuotas,
    checkLifecycles,
    checkTargets,
    checkRouting,
    checkConsumers,
    checkKeyLimits,
    checkAddresses,
    checkIdentities,
    checkTokens,
    checkVisitors,
    checkAddressQuotas,
  ])
    check(root, errors);
  const remarks = remarksOf(issues, value).concat(errors.remarks);
  if (policy === null || remarks.length > 0) return { policy: null, remarks, isWhole };
  const warnings = new Report('warning');
  warn(root, nowSeconds, warnings);
  return { policy, remarks: warnings.remarks, isWhole };
}

/** What is valid and yet probably a mistake. Runs on policies without problems. */
function warn(root: PolicyDraft, nowSeconds: number, report: Report): void {
  const holdings = holdingsIn(root);
  if (root.get('apis').entries.length === 0) report.add(root, 'has no API, so there is nothing to call', null);
  warnOfUnusedApis(root, report);
  warnOfUnheldPlans(root, report);
  warnOfOpenApis(root, report);
  warnOfUnusedRateLimitService(root, report);
  warnOfLongQuotas(root, report);
  warnOfCalendars(root, holdings, report);
  warnOfCors(root, report);
  warnOfDisclosure(root, report);
  warnOfKeyExpiry(root, report);
  warnOfOperations(root, report);
  warnOfModes(root, report);
  warnOfVisitors(root, report);
  warnOfAddressQuotas(root, report);
  warnOfManyCounters(root, report);
  warnOfCosts(root, report);
  warnOfSettlements(root, report);
  warnOfCounters(root, report);
  warnOfIdentities(root, report);
  warnOfTokens(root, report);
  for (const api of root.get('apis').entries) {
    warnOfLifecycle(lifecycleOf(api), nowSeconds, report);
    for (const operation of api.get('operations').entries) warnOfLifecycle(lifecycleOf(operation), nowSeconds, report);
    for (const route of api.get('routes').items) {
      warnOfPatterns(route, report);
      warnOfLifecycle(lifecycleOf(route), nowSeconds, report);
    }
  }
  const terms = new Terms(nowSeconds);
  const apart = new PlansApart(root, holdings);
  for (const consumer of root.get('consumers').entries) {
    const others = [...consumer.get('workloads').items, ...consumer.get('tokens').entries];
    if (consumer.get('keys').items.length === 0 && others.length === 0)
      report.add(consumer, 'has no key; "tollgate keys issue" makes one', null);
    terms.add(consumer, report);
    warnOfPlan(holdings, consumer, report);
    warnOfKeyLimits(holdings, consumer, report);
    warnOfAddresses(consumer, report);
    apart.add(consumer);
  }
  terms.tell(root.get('consumers'), report);
  apart.tell(report);
  warnOfSlack(root, holdings, sharedQuotas(root), report);
}

interface Parsed {
  readonly policy: Policy | null;
  readonly issues: readonly z.core.$ZodIssue[];
  readonly isWhole: boolean;
}

/**
 * zod passes issues on as arguments, and 100,000 or so overflow the stack: then only the first items of each list are
 * judged.
 */
function parse(value: unknown): Parsed {
  for (let most = Infinity; ; most = Math.min(most / 10, MAX_JUDGED)) {
    try {
      const { data, error } = policySchema.safeParse(most === Infinity ? value : firstOf(value, most), {
        error: defaultRule,
      });
      return { policy: error === undefined ? data : null, issues: error?.issues ?? [], isWhole: most === Infinity };
    } catch (error) {
      if (!(error instanceof RangeError) || most < 10) throw error;
    }
  }
}

function firstOf(value: unknown, most: number): unknown {
  if (Array.isArray(value)) return value.slice(0, most).map((item) => firstOf(item, most));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, most)
      .map(([name, member]) => [name, firstOf(member, most)]),
  );
}
