import type { Mode } from '../../contract/pluginConfig.ts';
import { Modes } from '../compile/holding.ts';
import { quote } from '../secret.ts';
import type { Place, PolicyDraft, Report } from './draft.ts';

/** The modes of a policy that has no errors, as they are written. */
export function modesIn(root: PolicyDraft): Modes {
  const own = (mode: Place): { mode?: Mode } => (mode.string === undefined ? {} : { mode: mode.string as Mode });
  const byName = <P extends Place, T>(places: readonly P[], of: (place: P) => T): Record<string, T> =>
    Object.fromEntries(places.map((place) => [place.key, of(place)]));
  return new Modes({
    ...own(root.get('mode')),
    apis: byName(root.get('apis').entries, (api) => ({ ...own(api.get('mode')), plans: api.get('plans').strings })),
    plans: byName(root.get('plans').entries, (plan) => ({
      ...own(plan.get('mode')),
      concurrency: own(plan.get('concurrency').get('mode')),
      quotas: byName(plan.get('quotas').entries, (quota) => own(quota.get('mode'))),
    })),
  });
}

/** Modes that decide nothing, and those that a caller gets around. */
export function warnOfModes(root: PolicyDraft, report: Report): void {
  const modes = modesIn(root);
  const apis = root.get('apis').entries;
  const isEnforced = apis.some((api) => modes.ofApi(api.key) === 'enforce');
  if (
    modes.policy === 'observe' &&
    isEnforced &&
    root.get('unmatched').string === 'allow' &&
    apis.every((api) => api.get('mode').given)
  )
    report.add(
      root.get('mode'),
      'decides nothing: every API has a mode of its own, requests that no API covers pass anyway, and hosts and paths that can be read in several ways are refused while an API is enforced',
      null,
    );
  const dated = new Set(
    root
      .get('consumers')
      .entries.flatMap((consumer) => consumer.get('subscriptions').entries)
      .filter((subscription) => (['from', 'until', 'paused'] as const).some((field) => subscription.get(field).given))
      .map((subscription) => subscription.get('plan').string),
  );
  for (const plan of root.get('plans').entries) {
    const quotas = plan.get('quotas').entries;
    const mode = plan.get('mode');
    const concurrency = plan.get('concurrency');
    const limits = [
      ...quotas.map((quota) => quota.get('mode')),
      ...(concurrency.given ? [concurrency.get('mode')] : []),
    ];
    if (mode.given && !dated.has(plan.key) && limits.every(({ given }) => given))
      report.add(
        mode,
        `decides nothing: ${limits.length === 0 ? 'the plan has no quotas' : 'every quota has a mode of its own'}, and no subscription to the plan begins, ends or is paused`,
        null,
      );
    for (const place of [mode, ...limits]) warnOfWayAround(modes, plan.key, place, report);
  }
}

/** What is enforced on an API that is only observed binds who shows a key, and nobody else. */
function warnOfWayAround(modes: Modes, plan: string, mode: Place, report: Report): void {
  if (mode.string !== 'enforce') return;
  const open = modes.offering(plan).find((api) => modes.ofApi(api) === 'observe');
  if (open !== undefined)
    report.add(
      mode,
      `is got around on API ${quote(open)}, which only observes: who leaves the key out passes; enforce the API first`,
      null,
    );
}
