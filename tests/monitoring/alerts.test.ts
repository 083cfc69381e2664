import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { availableComponents } from '../../harness/components/available.ts';
import { MONITORING_COMPONENTS } from '../../harness/components/component.ts';
import { alertsIn, SELECTOR, type Alert } from '../../harness/monitoring/alert.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { METRICS } from '../../scripts/contract/metrics.ts';
import { inPackage, packageRoot } from '../../scripts/file/packageRoot.ts';
import { runToEnd } from '../../scripts/program/run.ts';
import { contentOf, headingsOf } from '../house/sourceWords.ts';

const found = await availableComponents(MONITORING_COMPONENTS, 'npm test monitoring installs them');
const FOLDER = inPackage('examples', 'monitoring');
const TEXT = readFileSync(join(FOLDER, 'alerts.yaml'), 'utf8');
const ALERTS = alertsIn(TEXT);
const PAGE = 'docs/monitoring.md';

test('every alert says how bad it is, what it means and where to read on', () => {
  assert.ok(ALERTS.length >= 15, 'the alerts were found');
  const anchors = headingsOf(contentOf(PAGE)).map(({ anchor }) => anchor);
  const { repository } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    repository: { url: string };
  };
  const base = `${repository.url.replace(/^git\+|\.git$/g, '')}/blob/main/${PAGE}#`;
  for (const { alert, labels, annotations } of ALERTS) {
    assert.match(labels.severity, /^(critical|warning)$/, alert);
    assert.ok(annotations.summary.length > 10 && annotations.summary.length <= 90, alert);
    assert.ok(annotations.description.length > 20, alert);
    assert.equal(annotations.runbook_url, `${base}${alert.toLowerCase()}`);
    assert.ok(anchors.includes(alert.toLowerCase()), `no heading for ${alert} in ${PAGE}`);
  }
});

test('alerts ask for series and labels that the module has', () => {
  for (const { alert, expr } of ALERTS) {
    const own = [...expr.matchAll(SELECTOR)].filter(({ 1: name }) => name!.startsWith('tollgate_'));
    assert.ok(own.length > 0, alert);
    for (const [, name, matchers = ''] of own) {
      assert.ok(Object.hasOwn(METRICS, name!), `${alert}: no series ${name}`);
      const labels: readonly string[] = METRICS[name as keyof typeof METRICS].labels;
      for (const [, label] of matchers.matchAll(/(\w+)\s*[=!]/g))
        assert.ok(labels.includes(label!), `${alert}: ${label}`);
    }
  }
});

describe('promtool', { skip: found.skip }, () => {
  const scratch = scratchFolder();

  it('takes the rules', async () => {
    const { code, stderr, stdout } = await promtool('check', 'rules', join(FOLDER, 'alerts.yaml'));
    assert.equal(code, 0, stdout + stderr);
  });

  it('takes the configuration of the compose file', async () => {
    const { code, stderr, stdout } = await promtool('check', 'config', join(FOLDER, 'prometheus.yaml'));
    assert.equal(code, 0, stdout + stderr);
  });

  it('passes their tests', async () => {
    const { code, stderr, stdout } = await promtool('test', 'rules', join(FOLDER, 'alerts.test.yaml'));
    assert.equal(code, 0, stdout + stderr);
  });

  // otherwise a test of an alert that never fires, or always does, would pass unnoticed
  for (const one of ALERTS) {
    it(`fails when ${one.alert} never fires, always does, or does not wait`, async () => {
      const never = { expr: 'vector(0) > 1' };
      const changes: Partial<Alert>[] = [
        never,
        { expr: 'vector(1)' },
        ...(one.for === undefined ? [] : [{ for: '0s' }]),
      ];
      for (const change of changes)
        assert.notEqual((await tested(one.alert, change)).code, 0, `${one.alert} with ${JSON.stringify(change)}`);
    });
  }

  let trials = 0;
  async function tested(alert: string, change: Partial<Alert>): ReturnType<typeof runToEnd> {
    const folder = join(scratch, String(trials++));
    mkdirSync(folder);
    copyFileSync(join(FOLDER, 'alerts.test.yaml'), join(folder, 'alerts.test.yaml'));
    const rules = ALERTS.map((one) => (one.alert === alert ? { ...one, ...change } : one));
    writeFileSync(join(folder, 'alerts.yaml'), JSON.stringify({ groups: [{ name: 'tollgate', rules }] }));
    return promtool('test', 'rules', join(folder, 'alerts.test.yaml'));
  }

  function promtool(...args: string[]): ReturnType<typeof runToEnd> {
    return runToEnd(found.skip === false ? found.paths.promtool : '', args);
  }
});
