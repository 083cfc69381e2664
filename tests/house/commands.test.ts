import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tollgate } from '../scripts/fakeIo.ts';
import { contentOf, filesEnding, markdownPassages } from './sourceWords.ts';

/** Decisions and the changelog speak of other times. */
const PAGES = filesEnding('.md').filter((page) => !/^docs\/decisions\/|^CHANGELOG\.md$/.test(page));

/** Options of other programs, and of our own scripts, that stand alone in the pages. */
const FOREIGN = new Set([
  '--network', // docker
  '--server-side', // kubectl
  '--concurrency', // envoy
  '--exit-code',
  '--flatten', // wasm-opt
  '--gufa',
  '--rereloop',
  '--runtime', // asc
  '--raw', // skopeo
  '--read-only', // docker
]);

const help = (await tollgate(['--help'])).out;
const names = [...help.matchAll(/^ {2}([a-z][a-z-]*) {1,}\S/gm)]
  .map((match) => match[1]!)
  .filter((name) => name !== 'tollgate');
const usages = new Map(
  await Promise.all(names.map(async (name) => [name, (await tollgate([name, '--help'])).out] as const)),
);

interface Call {
  readonly place: string;
  readonly command: string;
  readonly options: readonly string[];
}

/** Calls of the tool in code, each up to the end of its line, pipe or quotes; a line that ends with `\` goes on. */
function callsOf(page: string): Call[] {
  return markdownPassages(page, contentOf(page))
    .filter(({ kind }) => kind === 'code')
    .flatMap(({ line, text }) =>
      [
        ...text.replace(/\\\n/g, '  ').matchAll(/(?<![\w./:@-]|-n )tollgate +([a-z][a-z-]*)(?![\w:.-])([^\n|#;)`]*)/g),
      ].map((match) => ({
        place: `${page}:${line + text.slice(0, match.index).split('\n').length - 1}`,
        command: match[1]!,
        options: [...match[2]!.matchAll(/(?<=\s|^|\[)--[a-z][a-z-]*/g)].map(([option]) => option),
      })),
    );
}

test('every "tollgate COMMAND" that a page names exists, and so do its options', () => {
  assert.ok(names.length > 8 && names.includes('check'), 'the commands were found');
  const calls = PAGES.flatMap(callsOf);
  assert.ok(calls.length > 50, 'the calls were found');
  const wrong = calls.flatMap(({ place, command, options }) => {
    const usage = usages.get(command);
    if (usage === undefined) return [`${place}: tollgate ${command}: no such command`];
    return options
      .filter((option) => option !== '--help' && !hasOption(usage, option))
      .map((option) => `${place}: tollgate ${command}: no option ${option}`);
  });
  assert.deepEqual(wrong, []);
});

function hasOption(usage: string, option: string): boolean {
  return new RegExp(`${option}(?![\\w-])`).test(usage);
}

test('an option that a page of docs/ names alone is one of a command', () => {
  const pages = PAGES.filter((page) => /^docs\/|^README\.md$/.test(page));
  const all = [...usages.values()].join('\n');
  const wrong = pages.flatMap((page) =>
    markdownPassages(page, contentOf(page)).flatMap(({ kind, line, text }) => {
      const option = kind === 'code' ? /^`(--[a-z][a-z-]*)[^\n]*`$/.exec(text)?.[1] : undefined;
      return option === undefined || FOREIGN.has(option) || hasOption(all, option)
        ? []
        : [`${page}:${line}: ${option}`];
    }),
  );
  assert.deepEqual(wrong, []);
});

test('every "npm run SCRIPT" that a page names is in package.json', () => {
  const { scripts } = JSON.parse(contentOf('package.json')) as { scripts: Record<string, string> };
  const wrong = PAGES.flatMap((page) =>
    [...contentOf(page).matchAll(/\bnpm run ([a-z][a-z:-]*)/g)]
      .map((match) => match[1]!.replace(/:$/, ''))
      .filter((script) => !Object.hasOwn(scripts, script))
      .map((script) => `${page}: npm run ${script}`),
  );
  assert.deepEqual(wrong, []);
});
