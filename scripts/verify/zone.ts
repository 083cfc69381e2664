import { at, listAt, shown, textAt } from '../cluster/object.ts';
import { endingText, type KnownZone } from '../policy/index.ts';
import type { Observations } from './observation.ts';
import type { PluginResource } from './plugin.ts';

/** Tells of plugin configs that soon no longer know when clocks change in the zones of their calendars. */
export function checkZones(plugins: readonly PluginResource[], nowSeconds: number, findings: Observations): void {
  for (const { label, config } of plugins) {
    const text = endingText(zonesIn(config), nowSeconds);
    if (text !== null) findings.problem('resources', label, `${text}; emit and apply it again`);
  }
}

function zonesIn(config: unknown): KnownZone[] {
  return listAt(config, 'zones').flatMap((zone) => {
    const [name, until] = [textAt(zone, 'name'), at(zone, 'until')];
    return name === undefined || typeof until !== 'number' ? [] : [{ name: shown(name), until }];
  });
}
