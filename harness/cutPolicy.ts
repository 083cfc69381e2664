import type { Random } from './random.ts';
import { readDocument, type Mapping } from '../scripts/policy/yaml/document.ts';
import { startOfLine } from '../scripts/policy/yaml/line.ts';
import type { PolicyText } from '../scripts/policy/yaml/files.ts';

const SPREAD = new Set(['upstreams', 'apis', 'plans', 'consumers']);

interface Piece {
  readonly field: string;
  /** The lines of the field, and below them those of each of its names; none: the field stays whole. */
  readonly head: string;
  readonly entries: readonly string[];
}

/**
 * Cuts a policy's lines into files at random: each name of a field that may be spread goes into one of them, and so does every other
 * field. With `inOrder`, a field's names keep their order over the files. Null where the lines cannot be cut.
 */
export function cutPolicy(text: string, random: Random, inOrder: boolean): PolicyText[] | null {
  const { root } = readDocument(text);
  if (root?.kind !== 'mapping' || root.flow || !root.entries.some(({ key }) => key === 'policy')) return null;
  const pieces = piecesOf(text, root);
  if (new Set(pieces.map(({ field }) => field)).size < pieces.length) return null;
  const name = pieces.find(({ field }) => field === 'policy')!;
  const files = Array.from({ length: 1 + random.below(5) }, () => [name.head]);
  for (const { field, head, entries } of pieces) {
    if (field === 'policy') continue;
    if (entries.length === 0) {
      random.pick(files).push(head);
      continue;
    }
    const places = entries.map(() => random.below(files.length));
    if (inOrder) places.sort((a, b) => a - b);
    for (const [at, file] of files.entries()) {
      const own = entries.filter((_, index) => places[index] === at);
      if (own.length > 0) file.push(head + own.join(''));
    }
  }
  return files.map((parts, at) => ({ file: `${at}.yaml`, text: parts.map(asLines).join('') }));
}

function asLines(lines: string): string {
  return lines.endsWith('\n') ? lines : `${lines}\n`;
}

function piecesOf(text: string, root: Mapping): Piece[] {
  const starts = root.entries.map(({ keyStart }) => startOfLine(text, keyStart));
  return root.entries.map(({ key, value }, at): Piece => {
    const [from, to] = [starts[at]!, starts[at + 1] ?? text.length];
    if (!SPREAD.has(key) || value.kind !== 'mapping' || value.flow)
      return { field: key, head: text.slice(from, to), entries: [] };
    const inner = value.entries.map(({ keyStart }) => startOfLine(text, keyStart));
    return {
      field: key,
      head: text.slice(from, inner[0]),
      entries: inner.map((start, index) => asLines(text.slice(start, inner[index + 1] ?? to))),
    };
  });
}
