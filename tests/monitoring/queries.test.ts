import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { eventually } from '../../harness/envoy/toolProcess.ts';
import { availableComponents } from '../../harness/components/available.ts';
import { MONITORING_COMPONENTS } from '../../harness/components/component.ts';
import { alertsIn, SELECTOR } from '../../harness/monitoring/alert.ts';
import { drawDashboard } from '../../harness/monitoring/picture.ts';
import { Code } from '../../harness/rateLimitService/protocol.ts';
import { ROWS } from '../../harness/monitoring/description.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { Fleet } from './fleet.ts';

const envoy = await available();
const found = await availableComponents(MONITORING_COMPONENTS, 'npm test monitoring installs them');
const ALERTS = alertsIn(readFileSync(inPackage('examples', 'monitoring', 'alerts.yaml'), 'utf8'));

/** Queries that have no result on plain Envoys, and why. */
const EMPTY: Readonly<Record<string, string>> = {
  'Whole requests, p50 (Istio)': "only Istio's proxies have this histogram",
  'Whole requests, p99 (Istio)': "only Istio's proxies have this histogram",
};

/** Alerts whose expression holds during the run; all others have none to tell. */
const HOLDING: Readonly<Record<string, string>> = {
  TollgateManyUnknownKeys: 'eight of ten requests of the demo carry one',
  TollgatePlanRefused: 'the plan small allows three requests a day, and ninety come',
  TollgateRateLimitServiceUnavailable: 'the service is cut off in the end',
  TollgateRateLimitServiceFailures: 'the service is cut off in the end',
  TollgateDecidedWithoutService: 'the service is cut off in the end',
  TollgateQuotaWithoutLimit: 'the service has answered without limits for a while',
};
/** Selectors of alerts that find no series here, and why. */
const NO_SERIES: Readonly<Record<string, string>> = {
  'tollgate_requests_total{reason="not_configured"}': 'both Envoys have a policy',
  'tollgate_requests_total{reason="internal_error"}': 'nothing went wrong inside',
};

/** The whole run: every series has risen in it. */
const RATE = '2m';

describe('on data of two real Envoys, read by a real Prometheus', { skip: envoy.skip || found.skip }, () => {
  let fleet: Fleet;
  let startedSeconds: number;
  before(async () => {
    if (envoy.skip !== false || found.skip !== false) return;
    fleet = await Fleet.start(envoy.envoy, envoy.module, found.paths.prometheus);
    // each series must be seen twice with different values
    for (let round = 0; round < 3; round++) {
      // a picture of what was before there was anything would be empty
      if (round === 1) startedSeconds = Math.floor(Date.now() / 1000);
      await fleet.callDemo();
      await fleet.callOrders('wide', 'small', 'open', 'shared');
      await fleet.callObserved();
      await counted();
    }
    // a service that does not know the policy
    fleet.service.fault = {
      kind: 'answer',
      change: ({ statuses }) => ({ overallCode: Code.ok, statuses: statuses.map(() => ({ code: Code.ok })) }),
    };
    await fleet.callOrders('wide', 'open', 'shared');
    await counted();
    fleet.service.fault = { kind: 'status', status: 14 };
    await later(6000);
    for (let round = 0; round < 2; round++) {
      await fleet.callOrders('wide', 'open', 'shared');
      await counted();
    }
  });
  after(() => fleet?.stop());

  it('requests are counted as they were answered, by policy, reason and quota', async () => {
    const samples = await fleet.client.query('sum by (policy, reason, quota) (tollgate_requests_total) > 0');
    const seen = new Map<string, number>();
    for (const { labels, value } of samples) {
      const { policy, reason, quota } = labels as { policy: string; reason: string; quota?: string };
      const key = [policy, reason, ...(reason === 'quota_exceeded' ? [quota] : [])].join(' ');
      seen.set(key, (seen.get(key) ?? 0) + value);
    }
    assert.deepEqual(Object.fromEntries([...seen].sort()), Object.fromEntries([...fleet.tally].sort()));
    assert.ok((fleet.tally.get('petstore quota_exceeded per-second') ?? 0) > 0, 'a quota refused');
    assert.ok((fleet.tally.get('orders quota_exceeded daily') ?? 0) > 0, 'a mesh-wide quota refused');
  });

  for (const { title, queries } of ROWS.flatMap(({ panels }) => panels)) {
    for (const { promql, legend } of queries) {
      const name = `${title}, ${legend}`;
      it(`${name}: ${EMPTY[name] ? 'has no result' : 'has a result'}`, async () => {
        const result = await fleet.client.query(chosen(promql));
        if (EMPTY[name] !== undefined) return assert.deepEqual(result, [], EMPTY[name]);
        assert.ok(result.length > 0, promql);
        for (const { labels, value } of result) {
          assert.ok(Number.isFinite(value) && value >= 0, `${promql}: ${value}`);
          for (const [, label] of legend.matchAll(/\{\{(\w+)\}\}/g))
            assert.ok(labels[label!], `${promql}: no ${label}`);
        }
      });
    }
  }

  it('numbers of the dashboard are those of the run', async () => {
    const { demo, orders } = fleet.instances;
    const of = (title: string): string => {
      const panel = ROWS.flatMap(({ panels }) => panels).find((one) => one.title === title);
      return chosen(panel!.queries[0]!.promql);
    };
    assert.equal(await fleet.client.number(of('Proxies with a policy in force')), 2);
    assert.equal(await fleet.client.number(of('Versions of a policy')), 1);
    assert.equal(await fleet.client.number(of('VMs lost')), 0);
    const vms = await fleet.client.query(of('VMs'));
    assert.deepEqual(
      vms.map(({ labels, value }) => [labels['instance'], labels['policy'], value]).sort(),
      [
        [demo, 'petstore', 3],
        [orders, 'orders', 3],
      ].sort(),
    );
    const table = await fleet.client.query(of('Policy in force, by proxy'));
    assert.deepEqual(table.map(({ labels }) => labels['policy']).sort(), ['orders', 'petstore']);
    for (const { labels } of table) {
      assert.match(labels['digest']!, /^[0-9a-f]{12}$/);
      assert.match(labels['version']!, /^\d+\.\d+\.\d+/);
    }
    const modes = await fleet.client.query(of('Decided without the service'));
    assert.deepEqual(
      modes
        .filter(({ value }) => value > 0)
        .map(({ labels }) => labels['mode'])
        .sort(),
      ['allow', 'deny', 'local-share'],
    );
  });

  it('the dashboard can be drawn; UPDATE_PICTURE=1 puts that into docs/', async () => {
    const toSeconds = Math.floor(Date.now() / 1000);
    const span = { fromSeconds: startedSeconds, toSeconds, stepSeconds: 1 };
    const short = (promql: string): string => chosen(promql, undefined, '10s');
    const svg = await drawDashboard({ rows: ROWS, client: fleet.client, span, chosen: short });
    for (const { title } of ROWS.flatMap(({ panels }) => panels)) assert.ok(svg.includes(`>${title}</text>`), title);
    assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
    if (process.env['UPDATE_PICTURE'] === '1') writeFileSync(inPackage('docs', 'dashboard.svg'), svg);
  });

  it('one proxy can be looked at alone', async () => {
    const { demo } = fleet.instances;
    for (const { title, queries } of ROWS.flatMap(({ panels }) => panels)) {
      for (const { promql } of queries) {
        const result = await fleet.client.query(chosen(promql, demo));
        const strangers = result.filter(
          ({ labels }) => (labels['instance'] ?? demo) !== demo || labels['policy'] === 'orders',
        );
        assert.deepEqual(strangers, [], title);
      }
    }
  });

  it('Prometheus evaluates every alert', async () => {
    const rules = await eventually(
      async () => {
        const all = await fleet.client.rules();
        return all.every(({ health }) => health !== 'unknown') ? all : null;
      },
      () => 'not all rules were evaluated',
    );
    assert.deepEqual(
      rules.map(({ name, health }) => [name, health]),
      ALERTS.map(({ alert }) => [alert, 'ok']),
    );
  });

  for (const { alert, expr } of ALERTS) {
    it(`${alert}: every series that it asks for is there, and it ${HOLDING[alert] ? 'holds' : 'does not hold'}`, async () => {
      for (const [selector] of expr.matchAll(SELECTOR)) {
        const count = (await fleet.client.query(selector)).length;
        if (NO_SERIES[selector] !== undefined) assert.equal(count, 0, NO_SERIES[selector]);
        else assert.ok(count > 0, selector);
      }
      const result = await fleet.client.query(expr.replace(/\[(?:5|10|15)m\]/g, `[${RATE}]`));
      assert.equal(result.length > 0, HOLDING[alert] !== undefined, JSON.stringify(result));
    });
  }

  /** With everything chosen, or one proxy, as Grafana puts it in. */
  function chosen(promql: string, instance?: string, rate = RATE): string {
    const { demo, orders } = fleet.instances;
    const instances = (instance === undefined ? [demo, orders] : [instance]).map((one) => one.replaceAll('.', '\\\\.'));
    return promql
      .replaceAll('$policy', '(orders|petstore)')
      .replaceAll('$instance', `(${instances.join('|')})`)
      .replaceAll('$__rate_interval', rate)
      .replaceAll('$__range', '5m');
  }

  /** Resolves when Prometheus has read what was counted: the module flushes once a second, Prometheus reads as often. */
  async function counted(): Promise<void> {
    const sent = [...fleet.tally.values()].reduce((sum, count) => sum + count, 0);
    let read = 0;
    await eventually(
      async () => ((read = await fleet.client.number('sum(tollgate_requests_total)')) === sent ? true : null),
      () => `${read} of ${sent} requests were counted`,
    );
    await later(1100);
  }
});

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
