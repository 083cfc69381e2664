import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { describe, it, test } from 'node:test';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard, dashboardText } from '../../harness/monitoring/dashboard.ts';
import { ADMITTED, ANSWERED, ROWS } from '../../harness/monitoring/description.ts';
import { lint } from '../../harness/monitoring/lint.ts';
import { METRICS } from '../../scripts/contract/metrics.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { matchesGolden } from '../scripts/golden.ts';

const FILE = inPackage('examples', 'monitoring', 'dashboard.json');
const KNOWN = Object.fromEntries(Object.entries(METRICS).map(([name, { labels }]) => [name, labels]));

test('examples/monitoring/dashboard.json is what the description makes', () => {
  matchesGolden(dashboardText(), pathToFileURL(FILE));
});

test('nothing is wrong with the dashboard', () => {
  assert.deepEqual(lint(JSON.parse(readFileSync(FILE, 'utf8')) as Dashboard, KNOWN), []);
});

test('every series of the module is shown somewhere', () => {
  const text = dashboardText();
  assert.deepEqual(
    Object.keys(METRICS).filter((name) => !text.includes(`${name}{`)),
    [],
  );
});

test('what counts as admitted is what docs/reasons.md lets pass', () => {
  const page = readFileSync(inPackage('docs', 'reasons.md'), 'utf8');
  const passes = [...page.matchAll(/^\| `(\w+)`\s*\| passes/gm)].map((match) => match[1]);
  assert.deepEqual([...ADMITTED], passes);
  for (const reason of ANSWERED) assert.match(page, new RegExp(`^\\| \`${reason}\`\\s*\\| 2\\d\\d `, 'm'));
});

describe('the linter finds', () => {
  interface Changeable {
    id: number;
    title: string;
    description: string;
    gridPos: { x: number; y: number; w: number; h: number };
    datasource: { uid: string };
    fieldConfig: { defaults: { unit?: string } };
    targets: { refId: string; expr: string; legendFormat: string; datasource: { uid: string } }[];
  }

  /** What the linter says about the dashboard after a change of its panel "Refused, by API", the thirteenth of its list. */
  function found(change: (panel: Changeable, all: Dashboard) => void): string[] {
    const copy = JSON.parse(JSON.stringify(dashboard(ROWS))) as Dashboard;
    change(
      (copy.panels as unknown as Changeable[]).find(({ title }) => title === 'Refused, by API')!,
      copy,
    );
    return lint(copy, KNOWN);
  }

  const CASES: readonly [string, (panel: Changeable, all: Dashboard) => void, RegExp][] = [
    ['an id that two panels have', (panel) => (panel.id = 2), /^panel id 2: not unique$/],
    ['a title that two panels have', (panel) => (panel.title = 'By API'), /^panel title "By API": not unique$/],
    [
      'panels that cover each other',
      (panel) => (panel.gridPos.x -= 1),
      /^panel "Refusals by reason": covers "Refused, by API"$/,
    ],
    ['a panel beside the grid', (panel) => (panel.gridPos.x = 20), /"Refused, by API": not on the grid/],
    ['a panel without a description', (panel) => (panel.description = ' '), /: no description$/],
    ['a panel without a unit', (panel) => delete panel.fieldConfig.defaults.unit, /: no unit$/],
    [
      'a panel of one installation',
      (panel) => (panel.datasource.uid = 'PBFA97'),
      /: data source must be \$\{datasource\}$/,
    ],
    [
      'a query of one installation',
      (panel) => (panel.targets[0]!.datasource.uid = 'P'),
      /query A: data source must be/,
    ],
    ['a panel without queries', (panel) => (panel.targets = []), /: no queries$/],
    ['a query without an expression', (panel) => (panel.targets[0]!.expr = ''), /query A: no expression$/],
    ['a query without a legend', (panel) => (panel.targets[0]!.legendFormat = ''), /query A: no legend$/],
    [
      'a legend with a label that was summed up',
      (panel) => (panel.targets[0]!.legendFormat = '{{plan}}'),
      /legend shows plan, which is not grouped by$/,
    ],
    [
      'a series that the module does not have',
      (panel) => (panel.targets[0]!.expr = 'sum by (api) (tollgate_request_total{instance=~"$instance"})'),
      /no series tollgate_request_total$/,
    ],
    [
      'a label that the series does not have',
      (panel) => (panel.targets[0]!.expr = 'sum by (api) (tollgate_vms{instance=~"$instance", reason="x"})'),
      /tollgate_vms has no label reason$/,
    ],
    [
      'a rate over a fixed time',
      (panel) => (panel.targets[0]!.expr = 'sum by (api) (rate(tollgate_requests_total{instance=~"$instance"}[1m]))'),
      /rate must be over \$__rate_interval$/,
    ],
    [
      'a query of all proxies',
      (panel) => (panel.targets[0]!.expr = 'sum by (api) (tollgate_requests_total{policy=~"$policy"})'),
      /does not heed \$instance$/,
    ],
    [
      'a variable that is not there',
      (panel) => (panel.targets[0]!.expr += ' > $least'),
      /^variable \$least: used, but not there$/,
    ],
    [
      'a variable that nothing uses',
      (_, all) => (all.templating.list![1]!.name = 'team'),
      /^variable \$team: not used$/,
    ],
    [
      'a dashboard without a choice of the data source',
      (_, all) => all.templating.list!.reverse(),
      /^the first variable: must pick the data source$/,
    ],
  ];
  for (const [what, change, words] of CASES) {
    it(what, () => {
      const faults = found(change);
      assert.ok(
        faults.some((fault) => words.test(fault)),
        `${words} not in: ${faults.join('; ')}`,
      );
    });
  }
});
