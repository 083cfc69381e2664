import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { format, resolveConfig } from 'prettier';
import { LABELS, METRICS, parseStatName, statName, statsTags, type Metric } from '../../scripts/contract/metrics.ts';
import { matchesGolden } from './golden.ts';

const FILE = new URL('../../docs/metrics.md', import.meta.url);

test('docs/metrics.md lists every series of the table', async () => {
  const page = readFileSync(FILE, 'utf8');
  const rows = Object.entries<Metric>(METRICS).map(
    ([name, { kind, labels, help }]) =>
      `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  const table = ['', '| series | kind | labels | |', '|---|---|---|---|', ...rows, ''].join('\n');
  const written = page.replace(
    /(<!-- series -->\n)[^]*?(<!-- \/series -->)/,
    (_, open, close) => `${open}${table}\n${close}`,
  );
  const options = await resolveConfig(FILE.pathname);
  matchesGolden(await format(written, { ...options, filepath: FILE.pathname }), FILE);
});

test('docs/metrics.md names every label for Istio', () => {
  const lists = [...readFileSync(FILE, 'utf8').matchAll(/extraStatTags: \[(.*)\]/g)].map(([, list]) =>
    list!.split(', '),
  );
  assert.equal(lists.length, 2);
  for (const list of lists) assert.deepEqual(list, [...LABELS]);
});

test('a label is taken out of a name by its own rule, whatever the values of the others', () => {
  const values = {
    policy: 'p',
    api: 'plan',
    plan: 'api',
    reason: 'allowed',
    quota: 'policy',
    version: '1.2.3',
    digest: 'abc',
  };
  let rest = statName('tollgate_requests_total', values);
  assert.deepEqual(parseStatName(`wasmcustom.${rest}`), { name: 'tollgate_requests_total', labels: values });
  const found: Record<string, string> = {};
  for (const { tag_name: label, regex } of statsTags()) {
    const [, whole, value] = new RegExp(regex).exec(rest) ?? [];
    if (whole === undefined || value === undefined) continue;
    found[label] = value;
    rest = rest.replace(whole, '');
  }
  assert.deepEqual(found, values);
  assert.equal(rest, 'tollgate_requests_total');
});

test('no label is the end of another: a rule would take the wrong one out', () => {
  for (const one of LABELS)
    for (const other of LABELS) assert.ok(one === other || !one.endsWith(other), `${one}, ${other}`);
});
