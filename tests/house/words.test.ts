import assert from 'node:assert/strict';
import { basename, dirname } from 'node:path';
import { describe, it, test } from 'node:test';
import { contentOf, filesEnding, headingsOf, passagesOf, sourcePassages, spaced, type Passage } from './sourceWords.ts';

type Kind = Passage['kind'];

interface Dropped {
  readonly word: RegExp;
  readonly instead: string;
  /** Where the word is not used. */
  readonly in: readonly Kind[];
}

const EVERYWHERE: readonly Kind[] = ['prose', 'message', 'name', 'code'];
const WRITTEN: readonly Kind[] = ['prose', 'message'];

/** Words that are not used, and what to write instead. Identifiers are read word by word: `ledgerOf` holds "ledger of". */
const DROPPED: readonly Dropped[] = [
  { word: /\bledgers?\b/i, instead: 'rate limit service (rateLimitService)', in: EVERYWHERE },
  { word: /\btexts\b|\b(?:a|this) (?:plain )?text\b(?!\/)/i, instead: 'string', in: WRITTEN },
  { word: /\bblanks?\b(?! line)/i, instead: 'space', in: [...WRITTEN, 'name'] },
  { word: /\b(?:is|are|was|were|be) in order\b(?! (?:of|to|that|in))/i, instead: 'OK, or valid', in: WRITTEN },
  { word: /\bquotas? of the (?:whole )?mesh\b/i, instead: 'mesh-wide quota', in: WRITTEN },
  { word: /\bback-offs?\b|\bback off\b/i, instead: 'exponential backoff with jitter', in: [...WRITTEN, 'name'] },
  { word: /\bungated\b/i, instead: 'unchecked', in: WRITTEN },
  { word: /\broll-backs?\b/i, instead: 'rollback', in: WRITTEN },
  { word: /\bdearer\b/i, instead: 'more expensive', in: WRITTEN },
];

interface Exemption {
  readonly file: string;
  readonly word: string;
  readonly reason: string;
}

/** Where a dropped word has to stand. One that is no longer needed fails. */
const EXEMPT: readonly Exemption[] = [
  { file: 'docs/decisions/0025-words.md', word: '', reason: 'says which words were dropped' },
  {
    file: 'docs/decisions/0018-the-policy-is-a-library.md',
    word: 'ledger',
    reason: 'says what the field was called before',
  },
  { file: 'CHANGELOG.md', word: 'ledger', reason: 'says what the field was called before' },
  { file: 'scripts/policy/check/issue.ts', word: 'ledger', reason: 'the hint for the old field' },
  { file: 'scripts/cli/help/meant.ts', word: 'ledger', reason: 'the hint for the old command and option' },
  { file: 'tests/scripts/commands.test.ts', word: 'ledger', reason: 'tests that hint' },
  { file: 'tests/scripts/problems/field-renamed-ledger.yaml', word: 'ledger', reason: 'tests that hint' },
];

/** Names that say nothing about what a file or folder holds. */
const EMPTY_NAMES = /^(?:utils?|helpers?|common|misc|manager|shared?lib)$/i;

const SELF = 'tests/house/words.test.ts';
const FILES = filesEnding('.ts', '.mjs', '.md', '.yaml').filter((file) => file !== SELF);

describe('words', () => {
  const found = FILES.flatMap((file) => passagesOf(file).flatMap(droppedIn));

  it('that were dropped are not used', () => {
    const wrong = found.filter(({ file, match }) => exemptionOf(file, match) === undefined);
    const lines = wrong.map(({ file, line, match, instead }) => `${file}:${line}: "${match}"; write ${instead}`);
    assert.ok(lines.length === 0, lines.join('\n'));
  });

  it('have no exemption that nothing needs', () => {
    const idle = EXEMPT.filter((one) => !found.some(({ file, match }) => exemptionOf(file, match) === one));
    assert.deepEqual(idle, []);
  });

  it('are found in comments, strings, identifiers and pages', () => {
    const source = ['/** The ledger. */', 'const theLedger = "a text";', 'const n = `no ${theLedger} blank`;'].join(
      '\n',
    );
    assert.deepEqual(
      sourcePassages('a.ts', source)
        .flatMap(droppedIn)
        .map(({ line, match }) => `${line}: ${match}`),
      ['1: ledger', '2: ledger', '2: a text', '3: ledger', '3: blank'],
    );
  });
});

interface Found {
  readonly file: string;
  readonly line: number;
  readonly match: string;
  readonly instead: string;
}

function droppedIn({ kind, file, line, text }: Passage): Found[] {
  return DROPPED.filter((dropped) => dropped.in.includes(kind)).flatMap(({ word, instead }) =>
    [...text.matchAll(new RegExp(word, `${word.flags}g`))].map((match) => ({
      file,
      line: line + text.slice(0, match.index).split('\n').length - 1,
      match: match[0],
      instead,
    })),
  );
}

function exemptionOf(file: string, match: string): Exemption | undefined {
  return EXEMPT.find((one) => one.file === file && match.toLowerCase().startsWith(one.word));
}

test('files and folders are named by an idea', () => {
  const parts = new Set(FILES.flatMap((file) => [...dirname(file).split('/'), basename(file).split('.')[0]!]));
  assert.deepEqual(
    [...parts].filter((part) =>
      spaced(part)
        .split(' ')
        .some((word) => EMPTY_NAMES.test(word)),
    ),
    [],
  );
});

const GLOSSARY = 'docs/glossary.md';

interface Entry {
  readonly line: number;
  readonly terms: readonly string[];
  readonly meaning: string;
}

function glossary(): Entry[] {
  return contentOf(GLOSSARY)
    .split('\n')
    .flatMap((text, index) => {
      const match = /^- \*\*(.+?)\*\*: (.+)$/.exec(text);
      return match === null ? [] : [{ line: index + 1, terms: match[1]!.split(', '), meaning: match[2]! }];
    });
}

/** Words that classes and enums put beside a term, and that mean what they mean everywhere. */
const PLAIN = new Set(
  'kind state status result write index decoded settings count level map header field reader store metric log text'
    .split(' ')
    .map(singular),
);

describe('the glossary', () => {
  const entries = glossary();

  it('explains each term once, in one sentence', () => {
    assert.ok(entries.length > 80, 'the entries were found');
    assert.ok(headingsOf(contentOf(GLOSSARY)).length > 5, 'they are grouped');
    const terms = entries.flatMap((entry) => entry.terms.map((term) => term.toLowerCase()));
    assert.deepEqual(
      terms.filter((term, index) => terms.indexOf(term) !== index),
      [],
      'no term twice',
    );
    assert.deepEqual(
      entries
        .filter(({ meaning }) => !/^[A-Z`].*\.$/.test(meaning) || /[.!?] [A-Z]/.test(meaning))
        .map(({ line, terms: [term] }) => `${GLOSSARY}:${line}: ${term}`),
      [],
      'one sentence each',
    );
  });

  it('has the words of every class and enum of the module', () => {
    const known = new Set([
      ...PLAIN,
      ...entries.flatMap(({ terms }) => terms.flatMap((term) => [term, ...term.split(/[ -]/)].map(singular))),
    ]);
    const missing = exportedTypes().filter(({ name }) => {
      const words = spaced(name);
      return !known.has(singular(words)) && !words.split(' ').every((word) => known.has(singular(word)));
    });
    assert.deepEqual(
      missing.map(({ file, name }) => `${file}: ${name}`),
      [],
    );
  });
});

function singular(word: string): string {
  return word.toLowerCase().replace(/(?<=[a-z]{2})s$/, '');
}

interface Exported {
  readonly file: string;
  readonly name: string;
}

function exportedTypes(): Exported[] {
  return exportsOf(['filter/', 'assembly/'], /^export (?:abstract )?(?:class|const enum|enum|interface) (\w+)/gm);
}

function exportsOf(folders: readonly string[], pattern: RegExp): Exported[] {
  return FILES.filter((file) => file.endsWith('.ts') && folders.some((folder) => file.startsWith(folder))).flatMap(
    (file) => [...contentOf(file).matchAll(pattern)].map((match) => ({ file, name: match[1]! })),
  );
}

/** Names that several files export with one meaning, and why. */
const SAME_NAMES: Readonly<Record<string, string>> = {
  acquire: 'one of the few functions that every kind of quota has',
  correct: 'one of the few functions that every kind of quota has',
  giveBack: 'one of the few functions that every kind of quota has',
  refusedUntil: 'one of the few functions that every kind of quota has',
  report: 'one of the few functions that every kind of quota has',
  look: 'looks at what is known: of a quota before it is charged, of a line before its turn',
  readPath: 'reads a path into the form that paths are compared in: from a request, and from a plugin config',
};

for (const folders of [['filter/', 'assembly/'], ['scripts/']]) {
  test(`no two files of ${folders.join(' and ')} export the same name`, () => {
    const exported = exportsOf(
      folders,
      /^export (?:abstract |async )?(?:class|const enum|enum|interface|type|function\*?) (\w+)/gm,
    );
    assert.ok(exported.length > 100, 'the exports were found');
    const twice = exported.filter(
      ({ name, file }) =>
        !Object.hasOwn(SAME_NAMES, name) && exported.some((other) => other.name === name && other.file !== file),
    );
    assert.deepEqual(twice.map(({ name, file }) => `${name}: ${file}`).sort(), []);
  });
}
