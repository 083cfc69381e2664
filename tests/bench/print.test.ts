import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chart } from '../../bench/chart.ts';
import { between, sections } from '../../bench/docs.ts';
import { printResult } from '../../bench/result.ts';
import { textTable } from '../../bench/table.ts';
import { matchesGolden } from '../scripts/golden.ts';
import { RESULT } from './fixture.ts';

const golden = (name: string): URL => new URL(`golden/${name}`, import.meta.url);

describe('a run in print', () => {
  it('is a table for a terminal', () => matchesGolden(textTable(RESULT), golden('table.txt')));

  it('is sections of a page', () => {
    const text = Object.entries(sections(RESULT))
      .map(([name, section]) => `<!-- ${name} -->\n${section}\n`)
      .join('\n');
    matchesGolden(text, golden('sections.md'));
  });

  it('is a chart', () => matchesGolden(chart(RESULT), golden('chart.svg')));

  it('is JSON that reads back the same', () => {
    const round = (value: unknown): unknown =>
      JSON.parse(
        JSON.stringify(value, (_, one: unknown) =>
          typeof one === 'number' && !Number.isInteger(one) ? Number(one.toPrecision(6)) : one,
        ),
      );
    assert.deepEqual(JSON.parse(printResult(RESULT)), round(RESULT));
  });

  it('says of a quick run that it is one', () => {
    assert.match(sections({ ...RESULT, quick: true }).run, /^\*\*A quick run/);
    assert.match(textTable({ ...RESULT, quick: true }), /does not judge/);
  });
});

describe('the chart', () => {
  it('has no bar of negative length', () => assert.doesNotMatch(chart(RESULT), /width="-/));

  it('takes titles as text', () => assert.match(chart(RESULT), /&lt;1,000&gt; &amp; more/));

  it('has colours for a dark page', () => assert.match(chart(RESULT), /prefers-color-scheme: dark/));
});

describe('markers of a page', () => {
  const page = 'before\n<!-- bench:table -->\nold\n<!-- /bench:table -->\nafter\n';

  it('hold what is replaced, and nothing else is', () => {
    assert.equal(between(page, 'table', 'new'), 'before\n<!-- bench:table -->\nnew\n<!-- /bench:table -->\nafter\n');
    assert.equal(between(between(page, 'table', 'new'), 'table', 'old'), page);
  });

  it('must be there', () => assert.throws(() => between(page, 'targets', 'new'), /no <!-- bench:targets -->/));
});
