import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { blocksOf, isAsShown, stepsOf } from '../../harness/page/block.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { TYPED_PAGES } from './typedPages.ts';
import { readPolicy } from '../../scripts/policy/index.ts';

/** docs/policy.md has parts of policies, and a test of its own. */
const PAGES = ['README.md', ...readdirSync(inPackage('docs')).map((name) => `docs/${name}`)].filter(
  (page) => page.endsWith('.md') && page !== 'docs/policy.md',
);

describe('a policy on a page', () => {
  const blocks = PAGES.flatMap(blocksOf).filter(({ language, mark }) => language === 'yaml' && mark === 'policy');

  it('is found', () => assert.ok(blocks.length >= 2));

  for (const { page, line, text } of blocks) {
    it(`is valid: ${page}:${line}`, () => {
      assert.deepEqual(readPolicy(text, page).problems, []);
    });
  }
});

describe('a block of a page', () => {
  it('that is marked to run is run: its page has a test for it', () => {
    const pages = new Set(
      PAGES.flatMap(blocksOf)
        .filter(({ mark }) => mark === 'run')
        .map(({ page }) => page),
    );
    assert.deepEqual(
      [...pages].sort(),
      ['docs/cookbook.md', 'docs/istio-quickstart.md', 'docs/troubleshooting.md', ...Object.keys(TYPED_PAGES)].sort(),
    );
  });

  it('of a terminal is read as commands and what they print', () => {
    const text = '$ one \\\n  two\nout\n\nmore\n$ three\n';
    const steps = stepsOf({ page: '', line: 5, language: 'console', section: '', mark: 'run', text });
    assert.deepEqual(steps, [
      { line: 5, command: 'one \\\n  two', printed: 'out\n\nmore\n' },
      { line: 10, command: 'three', printed: '\n' },
    ]);
  });

  it('says what was printed, with … for any characters, or for any lines where it stands alone', () => {
    assert.ok(isAsShown('a…c\n', 'abc\r\n'));
    assert.ok(isAsShown('a\n…\nd\n', 'a\nb\nc\nd\n'));
    assert.ok(isAsShown('…\nd\n', 'd\n'));
    assert.ok(!isAsShown('a…c\n', 'a\nc\n'));
    assert.ok(!isAsShown('a.c\n', 'abc\n'));
    assert.ok(!isAsShown('a\n', 'a\nb\n'));
  });
});
