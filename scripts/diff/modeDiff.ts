import { Modes, type ApiConfig, type Mode, type PluginConfig } from '../policy/index.ts';
import type { Difference, Effect } from './difference.ts';
import { byPattern } from './operationDiff.ts';

/**
 * What is enforced now and was only observed, or the other way round: of the policy, then APIs, plans and quotas. What follows from
 * a difference above is not said again.
 */
export function modeDifferences(old: PluginConfig, next: PluginConfig): Difference[] {
  const [before, after] = [modesOf(old), modesOf(next)];
  return [
    ...policyChange(before.policy, after.policy),
    ...apiChanges(old, next, before, after),
    ...planChanges(old, next, before, after),
    ...operationChanges(old, next, before, after),
  ];
}

function modesOf({ mode, apis, plans }: PluginConfig): Modes {
  return new Modes({
    mode,
    apis: Object.fromEntries(apis.map(({ name, mode, plans }) => [name, { mode, plans }])),
    plans: Object.fromEntries(
      plans.map(({ name, mode, quotas = [], concurrency }) => [
        name,
        { mode, concurrency, quotas: Object.fromEntries(quotas.map((quota) => [quota.name, quota])) },
      ]),
    ),
  });
}

/** Whether counters begin anew: observed quotas have counters of their own. */
function say(subject: string, next: Mode, what: string, where = '', ...more: Effect[]): Difference {
  return next === 'observe'
    ? {
        subject,
        text: `mode enforce → observe${where}: ${what} passes, and is only counted`,
        effects: ['widens', ...more],
      }
    : { subject, text: `mode observe → enforce${where}: ${what} is refused`, effects: ['narrows', ...more] };
}

function policyChange(old: Mode, next: Mode): Difference[] {
  return old === next ? [] : [say('policy', next, 'what belongs to no API')];
}

function apiChanges(old: PluginConfig, next: PluginConfig, before: Modes, after: Modes): Difference[] {
  const known = new Set(old.apis.map(({ name }) => name));
  return next.apis
    .filter(({ name }) => known.has(name) && before.ofApi(name) !== after.ofApi(name))
    .map((api) => {
      const { name, plans } = api;
      const restarts = hasQuotas(next, plans) || hasOwnQuotas(api) ? (['restarts'] as const) : [];
      return say(`API ${name}`, after.ofApi(name), 'what it would refuse', '', ...restarts);
    });
}

function hasQuotas({ plans }: PluginConfig, names: readonly string[]): boolean {
  return plans.some(({ name, quotas = [] }) => names.includes(name) && quotas.length > 0);
}

function hasOwnQuotas({ operations = [] }: ApiConfig): boolean {
  return operations.some(({ quotas = [] }) => quotas.length > 0);
}

/** Of quotas that operations have of their own, where the API's mode does not say it all. */
function operationChanges(old: PluginConfig, next: PluginConfig, before: Modes, after: Modes): Difference[] {
  const former = new Map(old.apis.map((api) => [api.name, byPattern(api)]));
  return next.apis.flatMap((api) =>
    [...byPattern(api)].flatMap(([pattern, { quotas = [] }]) => {
      const had = new Map(
        former
          .get(api.name)
          ?.get(pattern)
          ?.quotas?.map((quota) => [quota.name, quota]),
      );
      return quotas.flatMap((quota): Difference[] => {
        const then = had.get(quota.name);
        if (then === undefined) return [];
        const mode = after.ofOwnQuota(quota, api.name);
        if (mode === before.ofOwnQuota(then, api.name)) return [];
        if (mode === after.ofApi(api.name) && mode !== before.ofApi(api.name)) return [];
        const subject = `operation ${api.name} ${pattern}`;
        return [say(subject, mode, 'what it would refuse', ` of quota ${quota.name}`, 'restarts')];
      });
    }),
  );
}

function planChanges(old: PluginConfig, next: PluginConfig, before: Modes, after: Modes): Difference[] {
  const former = new Map(old.plans.map((plan) => [plan.name, plan]));
  return next.plans.flatMap(({ name, quotas = [] }): Difference[] => {
    const offering = after.offering(name).filter((api) => before.offering(name).includes(api));
    if (!former.has(name) || offering.length === 0) return [];
    const had = new Set((former.get(name)!.quotas ?? []).map((quota) => quota.name));
    const subject = `plan ${name}`;
    const outer = changed(offering, (api) => [before.ofPlan(name, api), after.ofPlan(name, api)]);
    const ofApis = changed(offering, (api) => [before.ofApi(api), after.ofApi(api)]);
    return [
      ...grouped(offering, outer, ofApis, (mode, where) =>
        say(subject, mode, 'what it would refuse', where, ...(quotas.length > 0 ? (['restarts'] as const) : [])),
      ),
      ...quotas
        .filter((quota) => had.has(quota.name))
        .flatMap((quota) =>
          grouped(
            offering,
            changed(offering, (api) => [before.ofQuota(quota.name, name, api), after.ofQuota(quota.name, name, api)]),
            outer,
            (mode, where) => say(subject, mode, 'what it would refuse', where, 'restarts'),
            quota.name,
          ),
        ),
    ];
  });
}

/** APIs on which the mode differs, with the new one. */
function changed(apis: readonly string[], modes: (api: string) => [Mode, Mode]): Map<string, Mode> {
  return new Map(
    apis.flatMap((api) => {
      const [old, next] = modes(api);
      return old === next ? [] : [[api, next] as const];
    }),
  );
}

/** A difference for each new mode, with the APIs that it is about unless that is all of them; not where `outer` has it already. */
function grouped(
  offering: readonly string[],
  own: ReadonlyMap<string, Mode>,
  outer: ReadonlyMap<string, Mode>,
  print: (mode: Mode, where: string) => Difference,
  quota?: string,
): Difference[] {
  return (['observe', 'enforce'] as const).flatMap((mode) => {
    const apis = [...own].filter(([api, next]) => next === mode && outer.get(api) !== next).map(([api]) => api);
    if (apis.length === 0) return [];
    const of = quota === undefined ? '' : ` of quota ${quota}`;
    return [print(mode, apis.length === offering.length ? of : `${of} on ${apis.join(', ')}`)];
  });
}
