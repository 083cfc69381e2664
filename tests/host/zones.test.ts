import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pluginConfig } from '../../harness/config.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { Host } from '../../scripts/host/host.ts';
import { Timeline } from '../../scripts/host/process.ts';

const module = loadModule(modulePath);
const START = Date.UTC(2026, 0, 15, 12);
const HOUR_SECONDS = 3600;

/** A config whose zones are known for so many hours from the start on. */
function configWith(hours: readonly number[]): string {
  const plain = pluginConfig([{ name: 'daily', limit: 2, window: 'day' }]);
  const zones = hours.map((known, i) => ({
    name: `Z${i}`,
    offsetSeconds: 0,
    until: START / 1000 + known * HOUR_SECONDS,
  }));
  const consumers = zones.map(({ name }) => ({ name: name.toLowerCase(), plan: 'free', calendar: { zone: name } }));
  return JSON.stringify({
    ...plain,
    consumers: [...plain.consumers, ...consumers],
    ...(zones.length > 0 && { zones }),
  });
}

describe('tollgate_zones_ended', () => {
  const timeline = new Timeline(START);
  const host = new Host(module, { workers: 2, timeline });
  const ended = (): number[] => {
    host.pass(1000);
    return host.series('tollgate_zones_ended').map(({ value }) => value);
  };

  it('is not there for a policy without calendars', () => {
    assert.ok(host.load(configWith([])), host.logs().join('\n'));
    assert.deepEqual(ended(), []);
  });

  it('counts the zones that the config no longer knows, as soon as it does not', () => {
    assert.ok(host.load(configWith([1, 3, 1000])), host.logs().join('\n'));
    assert.deepEqual(ended(), [0]);
    host.pass(HOUR_SECONDS * 1000);
    assert.deepEqual(ended(), [1]);
    host.pass(2 * HOUR_SECONDS * 1000);
    assert.deepEqual(ended(), [2]);
  });

  it('is 0 again once a config comes that knows them, and for a policy that has no zones any more', () => {
    assert.ok(host.load(configWith([100])));
    assert.deepEqual(ended(), [0]);
    host.pass(101 * HOUR_SECONDS * 1000);
    assert.deepEqual(ended(), [1]);
    assert.ok(host.load(configWith([])));
    host.retireAllButNewest();
    assert.deepEqual(ended(), [0]);
    assert.deepEqual(host.faults, []);
  });
});
