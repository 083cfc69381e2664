import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../../scripts/file/packageRoot.ts';

/** Folders that hold no sources of ours. */
const SKIPPED = new Set(['node_modules', 'build', 'dist', '.git', '.cache', 'results']);

/** Paths of all files of the project whose names end so, sorted. */
export function filesEnding(...ends: readonly string[]): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (SKIPPED.has(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile() && ends.some((end) => entry.name.endsWith(end))) found.push(relative(packageRoot, path));
    }
  };
  walk(packageRoot);
  return found.sort();
}

export function contentOf(file: string): string {
  return readFileSync(join(packageRoot, file), 'utf8');
}

/**
 * A part of a file that holds words. `prose`: comments, and Markdown outside code. `message`: strings in sources. `name`: identifiers in
 * sources, split into their words. `code`: code in Markdown.
 */
export interface Passage {
  readonly kind: 'prose' | 'message' | 'name' | 'code';
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** All passages of a file: TypeScript and AssemblyScript, Markdown, or YAML, whose comments are prose and whose rest is messages. */
export function passagesOf(file: string): Passage[] {
  const text = contentOf(file);
  if (file.endsWith('.md')) return markdownPassages(file, text);
  if (file.endsWith('.yaml')) return yamlPassages(file, text);
  return sourcePassages(file, text);
}

/** Comments, strings and identifiers. AssemblyScript parses as TypeScript, as far as this needs. */
export function sourcePassages(file: string, text: string): Passage[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const passages: Passage[] = [];
  const add = (kind: Passage['kind'], start: number, content: string): void => {
    passages.push({ kind, file, line: source.getLineAndCharacterOfPosition(start).line + 1, text: content });
  };
  const comments = new Set<number>();
  const addComments = (ranges: readonly ts.CommentRange[] | undefined): void => {
    for (const { pos, end } of ranges ?? []) {
      if (comments.has(pos)) continue;
      comments.add(pos);
      add('prose', pos, text.slice(pos, end));
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    if (node.getChildCount(source) > 0) {
      for (const child of node.getChildren(source)) visit(child);
      return;
    }
    addComments(ts.getLeadingCommentRanges(text, node.pos));
    addComments(ts.getTrailingCommentRanges(text, node.end));
    if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) add('name', node.getStart(source), spaced(node.text));
    else if (ts.isStringLiteralLike(node) || ts.isTemplateLiteralToken(node))
      add('message', node.getStart(source), node.text);
  };
  visit(source);
  return passages;
}

/** `askedAtNanoseconds` → `asked at nanoseconds`; `MAX_TEXT_BYTES` → `max text bytes`. */
export function spaced(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .replace(/[_#$]+/g, ' ')
    .trim()
    .toLowerCase();
}

/** Prose and code of Markdown: fenced blocks, and spans in back-quotes, are code. A link's target is neither. */
export function markdownPassages(file: string, text: string): Passage[] {
  const passages: Passage[] = [];
  const hidden = (match: string): string => match.replace(/[^\n]/g, ' ');
  const take = (source: string, pattern: RegExp): string =>
    source.replace(pattern, (match: string, ...rest: unknown[]) => {
      const at = rest.find((part) => typeof part === 'number') as number;
      passages.push({ kind: 'code', file, line: text.slice(0, at).split('\n').length, text: match });
      return hidden(match);
    });
  let prose = take(text, /^ *(```+)[^]*?^ *\1 *$/gm);
  prose = take(prose, /(?<!`)(`+)(?!`)[^]*?(?<!`)\1(?!`)/g);
  prose = prose.replace(/\]\([^)\s]*\)/g, hidden).replace(/<!--[^]*?-->/g, hidden);
  passages.push({ kind: 'prose', file, line: 1, text: prose });
  return passages;
}

/** Comments are prose, everything else messages. A `#` begins a comment at the line's start or after a space. */
function yamlPassages(file: string, text: string): Passage[] {
  return text.split('\n').flatMap((line, index): Passage[] => {
    const at = /(?:^|\s)#(?=\s|$)/.exec(line);
    const comment = at === null ? '' : line.slice(at.index);
    const rest = at === null ? line : line.slice(0, at.index);
    return [
      { kind: 'prose', file, line: index + 1, text: comment },
      { kind: 'message', file, line: index + 1, text: rest },
    ];
  });
}

export interface Heading {
  readonly line: number;
  readonly title: string;
  /** As GitHub makes anchors of headings. */
  readonly anchor: string;
}

/** The headings of a page, outside of code blocks. */
export function headingsOf(text: string): Heading[] {
  const seen = new Map<string, number>();
  const headings: Heading[] = [];
  let fence: string | null = null;
  text.split('\n').forEach((line, index) => {
    const mark = /^ *(```+)/.exec(line)?.[1];
    if (mark !== undefined) fence = fence === null ? mark : line.trim() === fence ? null : fence;
    const title = fence === null ? /^#{1,6} +(.+?) *#*$/.exec(line)?.[1] : undefined;
    if (title === undefined) return;
    const plain = title.replace(/`/g, '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    const slug = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
      .replace(/ /g, '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    headings.push({ line: index + 1, title: plain, anchor: count === 0 ? slug : `${slug}-${count}` });
  });
  return headings;
}
