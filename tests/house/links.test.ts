import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { contentOf, filesEnding, headingsOf, markdownPassages, passagesOf } from './sourceWords.ts';

const PAGES = filesEnding('.md');

interface Link {
  readonly page: string;
  readonly line: number;
  readonly target: string;
}

/** Links to files of the project and to anchors, pictures included; code is left out, as Markdown does. */
function linksOf(page: string): Link[] {
  const text = contentOf(page);
  let prose = text;
  for (const { kind, text: code } of markdownPassages(page, text)) {
    if (kind === 'code') prose = prose.replace(code, () => code.replace(/[^\n]/g, ' '));
  }
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => ({ page, line: prose.slice(0, match.index).split('\n').length, target: match[1]! }))
    .filter(({ target }) => !/^[a-z]+:/.test(target));
}

function fault({ page, target }: Link): string | null {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : normalize(join(dirname(page), decodeURIComponent(path)));
  if (!existsSync(inPackage(file))) return `no file ${file}`;
  if (anchor === undefined) return null;
  if (!file.endsWith('.md')) return `an anchor in ${file}, which is no page`;
  const anchors = headingsOf(contentOf(file)).map((heading) => heading.anchor);
  return anchors.includes(anchor) ? null : `no heading #${anchor} in ${file}`;
}

test('every link between the pages leads somewhere, anchors included', () => {
  const links = PAGES.flatMap(linksOf);
  assert.ok(links.length > 60, 'the links were found');
  const broken = links.flatMap((link) => {
    const rule = fault(link);
    return rule === null ? [] : [`${link.page}:${link.line}: ${link.target}: ${rule}`];
  });
  assert.deepEqual(broken, []);
});

test('every page of docs/ can be reached from the README', () => {
  const reached = new Set(['README.md']);
  for (const page of reached) {
    for (const { target } of linksOf(page)) {
      const file = normalize(join(dirname(page), target.split('#')[0]!));
      if (file.endsWith('.md') && existsSync(inPackage(file))) reached.add(file);
    }
  }
  const docs = PAGES.filter((page) => /^docs\/[^/]+\.md$/.test(page));
  assert.deepEqual(
    docs.filter((page) => !reached.has(page)),
    [],
  );
});

test('pages that sources and messages name exist', () => {
  const files = [...filesEnding('.ts', '.mjs', '.yaml')].filter((file) => !file.startsWith('tests/'));
  const missing = files.flatMap((file) =>
    passagesOf(file).flatMap(({ line, text }) =>
      [...text.matchAll(/\b(?:docs|examples|attack|wasmplugins|tests)\/[\w./-]+\.md\b|\bdocs\/decisions\/\d{4}/g)]
        .map(([name]) => name)
        .filter((name) =>
          name.endsWith('.md') ? !existsSync(inPackage(name)) : !PAGES.some((page) => page.startsWith(`${name}-`)),
        )
        .map((name) => `${file}:${line}: ${name}`),
    ),
  );
  assert.deepEqual(missing, []);
});
