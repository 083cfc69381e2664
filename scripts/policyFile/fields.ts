import { isDeepStrictEqual } from 'node:util';
import { type Entry, entryOf, type List, type Mapping, type Node } from '../policy/yaml/document.ts';
import { endOfLine, startOfLine } from '../policy/yaml/line.ts';
import { rendered, renderFlow } from './render.ts';
import { append, appendToFilled, type Edit, type Layout } from './splice.ts';

/** A change of one field; undefined takes it away. */
export interface FieldChange {
  readonly field: string;
  readonly value: unknown;
}

/** The smallest edits that change fields of the mapping that stands in an entry, in whatever style it is written. */
export function editsOfFields(
  text: string,
  owner: Mapping,
  entry: Entry,
  changes: readonly FieldChange[],
  layout: Layout,
): Edit[] {
  const { value: node } = entry;
  const added = changes.filter(({ field, value }) => value !== undefined && entryOf(node, field) === undefined);
  const members = added.map(({ field, value }) => ({ field: [field, rendered(value)] as const }));
  if (node.kind !== 'mapping') return members.length === 0 ? [] : append(text, { owner, entry }, members, layout);
  const gone = changes.filter(({ value }) => value === undefined).flatMap(({ field }) => entryOf(node, field) ?? []);
  // a mapping that loses everything cannot stay a block
  if (gone.length > 0 && gone.length === node.entries.length)
    return [replacement(text, entry, Object.fromEntries(added.map(({ field, value }) => [field, value])))];
  const changed = changes.flatMap(({ field, value }) => {
    const old = entryOf(node, field);
    return old === undefined || value === undefined ? [] : editsOfValue(text, old, value, layout);
  });
  return [
    ...changed,
    ...removals(text, node, gone),
    ...(members.length === 0 ? [] : append(text, { owner, entry }, members, layout)),
  ];
}

/** Edits that give an entry another value: of a list only the items that differ, because comments may stand beside the others. */
function editsOfValue(text: string, entry: Entry, value: unknown, layout: Layout): Edit[] {
  const { value: node } = entry;
  if (node.kind === 'list' && Array.isArray(value)) {
    const has = (list: readonly unknown[], item: unknown): boolean => list.some((one) => isDeepStrictEqual(one, item));
    const old = node.items.map((item) => plain(item.value));
    const gone = node.items.filter((_, index) => !has(value, old[index]));
    const added = (value as readonly unknown[]).filter((item) => !has(old, item));
    const after = [...old.filter((item) => has(value, item)), ...added];
    if (gone.length < node.items.length && isDeepStrictEqual(after, value))
      return [
        ...removals(text, node, gone),
        ...(added.length === 0
          ? []
          : [
              appendToFilled(
                text,
                node,
                added.map((item) => ({ item: rendered(item) })),
                layout,
              ),
            ]),
      ];
  }
  return [replacement(text, entry, value)];
}

/** A value without the marks of its reader. */
function plain(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? (JSON.parse(JSON.stringify(value)) as unknown) : value;
}

function replacement(text: string, { keyEnd, value: node }: Entry, value: unknown): Edit {
  const insert = renderFlow({ item: rendered(value) }, isQuoted(text, keyEnd));
  const colon = text.indexOf(':', keyEnd) + 1;
  if (node.kind === 'scalar' && node.start < node.end)
    return { offset: node.start, remove: node.end - node.start, insert };
  return { offset: colon, remove: node.end - colon, insert: ` ${insert}` };
}

/** JSON quotes its names. */
function isQuoted(text: string, keyEnd: number): boolean {
  return text[keyEnd - 1] === '"';
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Edits that take members out of a collection which keeps others; in a block, whole lines with the comments beside them. */
export function removals(text: string, node: List | Mapping, gone: readonly (Entry | Node)[]): Edit[] {
  const spans = membersOf(node).map(({ member, start, end }) => ({ start, end, isGone: gone.includes(member) }));
  if (!node.flow) return spans.filter(({ isGone }) => isGone).map((span) => linesOf(text, span));
  const firstKept = spans.findIndex(({ isGone }) => !isGone);
  return spans.flatMap(({ start, end, isGone }, index) => {
    if (!isGone) return [];
    if (index > firstKept) {
      const from = spans[index - 1]!.end;
      return [{ offset: from, remove: end - from, insert: '' }];
    }
    return [{ offset: start, remove: spans[index + 1]!.start - start, insert: '' }];
  });
}

function membersOf(node: List | Mapping): (Span & { readonly member: Entry | Node })[] {
  return node.kind === 'list'
    ? node.items.map((item) => ({ member: item, start: item.start, end: item.end }))
    : node.entries.map((entry) => ({ member: entry, start: entry.keyStart, end: entry.value.end }));
}

function linesOf(text: string, { start, end }: Span): Edit {
  const from = startOfLine(text, start);
  const atStart = end > start && text[end - 1] === '\n';
  const lineEnd = atStart ? end : endOfLine(text, end);
  const width = atStart ? 0 : text.startsWith('\r\n', lineEnd) ? 2 : lineEnd < text.length ? 1 : 0;
  return { offset: from, remove: lineEnd + width - from, insert: '' };
}
