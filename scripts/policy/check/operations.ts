import {
  MAX_COUNTED,
  MAX_NAME_BYTES,
  MAX_OPERATIONS,
  MAX_SAME_TEMPLATE,
  MAX_SCOPES,
  MAX_TRIED,
} from '../../contract/table.ts';
import { compiledTemplate, ME_PATH, meName, operationName, readPattern } from '../schema/operation.ts';
import { offeredPlans } from './consumers.ts';
import type { ApiDraft, Place, PolicyDraft, Report } from './draft.ts';
import { ApiMounts, triedBy, warnOfUnreachable, type Listed } from './reach.ts';

function listedIn(api: ApiDraft): Listed[] {
  return api.get('operations').entries.flatMap((operation) => {
    const pattern = readPattern(operation.key);
    return typeof pattern === 'string' ? [] : [{ operation, pattern }];
  });
}

/** Operations that claim the same requests, ask for what cannot be, or are more than the module looks through. */
export function checkOperations(root: PolicyDraft, report: Report): void {
  const offeredBy = offeredPlans(root);
  const plans = new Set(root.get('plans').entries.map((plan) => plan.key));
  const scopes = new Set<string>();
  let count = 0;
  for (const api of root.get('apis').entries) {
    if (api.get('unlisted').given && !api.get('operations').given)
      report.add(
        api.get('unlisted'),
        'must stand beside operations; without them every path of the API is taken',
        null,
      );
    const before = count;
    const listed = listedIn(api);
    count += listed.length;
    if (count > MAX_OPERATIONS && before <= MAX_OPERATIONS)
      report.add(api, `must fit into the ${MAX_OPERATIONS} operations that all APIs may have together`, count);
    if (count > MAX_OPERATIONS) continue;
    checkPatterns(listed, report);
    checkNames(listed, report);
    checkMe(api, listed, report);
    const offered = offeredBy(api.key);
    for (const { operation } of listed) {
      for (const plan of operation.get('plans').items) {
        if (plan.string !== undefined && plans.has(plan.string) && !offered.has(plan.string))
          report.add(plan, `must be a plan that the API offers${offered.hint}`);
      }
      checkOnce(operation.get('plans').items, report);
      checkScopes(operation.get('scopes').items, scopes, report);
      if (
        operation.get('anonymous').string === 'allow' &&
        (operation.get('plans').given || operation.get('scopes').given)
      )
        report.add(operation.get('anonymous'), 'must not be "allow" where the operation asks for plans or scopes');
    }
    const tried = triedBy(listed.map(({ pattern }) => pattern));
    if (tried > MAX_TRIED)
      report.add(
        api.get('operations'),
        `must not overlap so that a path may have to try more than ${MAX_TRIED} segments of their templates; use fewer variables beside each other`,
        tried,
      );
  }
  for (const consumer of root.get('consumers').entries) {
    checkScopes(consumer.get('scopes').items, scopes, report);
    for (const key of consumer.get('keys').items) checkScopes(key.get('scopes').items, scopes, report);
  }
}

/** Two operations must not claim the same method at the same template. */
function checkPatterns(listed: readonly Listed[], report: Report): void {
  const claims = new Map<string, Place>();
  const templates = new Map<string, number>();
  for (const { operation, pattern } of listed) {
    const template = compiledTemplate(pattern);
    for (const method of pattern.methods ?? ['']) {
      const claim = `${method} ${template}`;
      const other = claims.get(claim);
      if (other !== undefined) {
        report.twice(operation, 'must not match what another operation of the API matches', other, operation.key);
        break;
      }
      claims.set(claim, operation);
    }
    const same = (templates.get(template) ?? 0) + 1;
    templates.set(template, same);
    if (same === MAX_SAME_TEMPLATE + 1)
      report.add(operation, `must be one of at most ${MAX_SAME_TEMPLATE} operations with the same template`, null);
  }
}

function checkNames(listed: readonly Listed[], report: Report): void {
  const names = new Map<string, { readonly place: Place; readonly isNamed: boolean }>();
  for (const { operation } of listed) {
    const given = operation.get('name');
    if (given.given && given.string === undefined) continue;
    const name = operationName(operation.key, given.string);
    const other = names.get(name);
    if (name.length > MAX_NAME_BYTES)
      report.add(
        operation,
        `must have a name, because methods and template have more than ${MAX_NAME_BYTES} characters`,
        null,
      );
    // two without a name of their own have the same only where they match the same
    else if (other !== undefined && (given.given || other.isNamed))
      report.twice(
        given.given ? given : operation,
        'must be the only operation of this name in the API',
        other.place,
        name,
      );
    names.set(name, other ?? { place: operation, isNamed: given.given });
  }
}

/** The path of the module's own operation; undefined where the API has none, or a malformed one. */
function mePathOf(api: ApiDraft): string | undefined {
  const me = api.get('me');
  if (!me.given) return undefined;
  return me.string ?? (me.isTrue || (me.isMapping && !me.get('path').given) ? ME_PATH : me.get('path').string);
}

/** Where callers are told of their quotas, nothing else may be. */
function checkMe(api: ApiDraft, listed: readonly Listed[], report: Report): void {
  const path = mePathOf(api);
  if (path === undefined) return;
  const at = api.get('me').get('path').given ? api.get('me').get('path') : api.get('me');
  for (const { operation, pattern } of listed) {
    if (compiledTemplate(pattern) === path)
      report.twice(at, 'must not be the path of an operation of the API', operation, path);
    else if (operation.get('name').string === meName(path))
      report.add(operation.get('name'), `must not be the name of the operation that "me" adds`);
  }
}

function checkScopes(items: readonly Place[], scopes: Set<string>, report: Report): void {
  checkOnce(items, report);
  for (const item of items) {
    if (item.string === undefined || scopes.has(item.string)) continue;
    scopes.add(item.string);
    if (scopes.size === MAX_SCOPES + 1)
      report.add(item, `must be one of at most ${MAX_SCOPES} scopes that a policy may name in all`);
  }
}

function checkOnce(items: readonly Place[], report: Report): void {
  const seen = new Map<string, Place>();
  for (const item of items) {
    if (item.string === undefined) continue;
    const other = seen.get(item.string);
    if (other !== undefined) report.twice(item, 'must be given once', other);
    seen.set(item.string, other ?? item);
  }
}

/** Operations that nobody can call, scopes that nothing asks for, and what is too much to be counted apart. */
export function warnOfOperations(root: PolicyDraft, report: Report): void {
  const held = new Set(root.get('consumers').entries.flatMap((consumer) => consumer.get('scopes').strings));
  const asked = new Set<string>();
  const mounts = new ApiMounts(root);
  for (const api of root.get('apis').entries) {
    for (const operation of api.get('operations').entries) {
      for (const scope of operation.get('scopes').items) {
        if (scope.string !== undefined && !held.has(scope.string))
          report.add(scope, 'is a scope that no consumer has, so nobody can call the operation');
        asked.add(scope.string ?? '');
      }
    }
    warnOfUnreachable(api, listedIn(api), mounts, report);
    const path = mePathOf(api);
    const taker = path === undefined ? null : mounts.takerOf(api, path.slice(1).split('/'));
    if (taker !== null) report.add(api.get('me'), taker, null);
  }
  for (const consumer of root.get('consumers').entries) {
    for (const scope of consumer.get('scopes').items) {
      if (scope.string !== undefined && !asked.has(scope.string))
        report.add(scope, 'is a scope that no operation asks for');
    }
  }
  warnOfCounts(root, report);
}

/** More than are counted apart share one series. */
function warnOfCounts(root: PolicyDraft, report: Report): void {
  const apis = root.get('apis').entries;
  const counts = {
    APIs: apis.length,
    'pairs of API and plan': apis.reduce((sum, api) => sum + api.get('plans').items.length, 0),
    operations: apis.reduce((sum, api) => sum + api.get('operations').entries.length, 0),
  };
  for (const [what, count] of Object.entries(counts)) {
    if (count > MAX_COUNTED)
      report.add(
        root.get('apis'),
        `has more than ${MAX_COUNTED} ${what}: metrics count the others together, as api="*"`,
        count,
      );
  }
}
