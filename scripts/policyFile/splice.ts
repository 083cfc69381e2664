import type { Entry, List, Mapping, Node } from '../policy/yaml/document.ts';
import { endOfLine, startOfLine } from '../policy/yaml/line.ts';
import { type BlockStyle, type Member, renderBlock, renderFlow } from './render.ts';

/** A change of a string: at `offset`, `remove` characters give way to `insert`. */
export interface Edit {
  readonly offset: number;
  readonly remove: number;
  readonly insert: string;
}

/**
 * The text after all edits; offsets are those of the text before. Edits must not overlap; insertions at the same offset keep
 * the order of the edits.
 */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const { offset, remove, insert } of [...edits].sort((a, b) => a.offset - b.offset)) {
    parts.push(text.slice(at, offset), insert);
    at = offset + remove;
  }
  parts.push(text.slice(at));
  return parts.join('');
}

/** How a file is laid out, so that what is added to it looks like the rest. */
export interface Layout {
  readonly step: number;
  readonly listStep: number;
  readonly lineBreak: string;
}

const DEFAULT_STEP = 2;

export function layoutOf(text: string, root: Node): Layout {
  const found: { mapping?: number; list?: number } = {};
  for (const { kind, columns } of stepsOf(text, root)) {
    found[kind] ??= columns;
    if (found.mapping !== undefined && found.list !== undefined) break;
  }
  return {
    step: found.mapping ?? DEFAULT_STEP,
    listStep: found.list ?? DEFAULT_STEP,
    lineBreak: /\r\n|\n/.exec(text)?.[0] ?? '\n',
  };
}

/** Columns to the left of an offset. */
function columnOf(text: string, offset: number): number {
  return offset - startOfLine(text, offset);
}

function* stepsOf(text: string, node: Node): Generator<{ kind: 'mapping' | 'list'; columns: number }> {
  if (node.kind === 'scalar' || node.flow) return;
  if (node.kind === 'mapping') yield* stepsBelow(text, node);
  else for (const item of node.items) yield* stepsOf(text, item);
}

function* stepsBelow(text: string, mapping: Mapping): Generator<{ kind: 'mapping' | 'list'; columns: number }> {
  for (const { keyStart, value } of mapping.entries) {
    if (value.kind === 'scalar' || value.flow) continue;
    const columns = columnOf(text, value.start) - columnOf(text, keyStart);
    if (columns > 0 || value.kind === 'list') yield { kind: value.kind, columns: Math.max(columns, 0) };
    yield* stepsOf(text, value);
  }
}

/** A list or mapping to add to, as the value of a field; `owner` is the mapping that holds the field. */
interface Holder {
  readonly owner: Mapping;
  readonly entry: Entry;
}

/** Edits that add members at the end of the collection that a field holds; nothing after the colon counts as empty. */
export function append(text: string, { owner, entry }: Holder, members: readonly Member[], layout: Layout): Edit[] {
  const node = entry.value;
  if (node.kind !== 'scalar' && membersOf(node).length > 0) return [appendToFilled(text, node, members, layout)];
  const oneLine = !/[\r\n]/.test(text.slice(entry.keyStart, node.end));
  if (owner.flow || !oneLine) return [fillInFlow(text, entry, members, isJson(text, owner))];
  return fillInBlock(text, entry, members, layout);
}

/** The edit that adds members at the end of a collection that has some. */
export function appendToFilled(text: string, node: List | Mapping, members: readonly Member[], layout: Layout): Edit {
  if (!node.flow) {
    const [indent, style] = [columnOf(text, node.start), styleOf(node, layout)];
    return insertLines(text, node.end, blocksOf(members, indent, style), layout);
  }
  const last = membersOf(node).at(-1)!;
  return { offset: last.end, remove: 0, insert: `, ${renderAll(members, isJson(text, node))}` };
}

function renderAll(members: readonly Member[], json: boolean): string {
  return members.map((member) => renderFlow(member, json)).join(', ');
}

function membersOf(node: List | Mapping): readonly Node[] {
  return node.kind === 'list' ? node.items : node.entries.map((entry) => entry.value);
}

function styleOf(node: Node, layout: Layout): BlockStyle & Layout {
  const last = node.kind === 'list' ? node.items.at(-1) : undefined;
  return { ...layout, compactItems: last?.kind === 'mapping' && last.flow };
}

/** Into `[]`, `{}`, or after the colon of a field in braces. */
function fillInFlow(text: string, { keyEnd, value: node }: Entry, members: readonly Member[], json: boolean): Edit {
  const content = renderAll(members, json);
  const ofList = 'item' in members[0]!;
  const space = json || ofList ? '' : ' ';
  if (node.kind !== 'scalar') return { offset: node.start + 1, remove: 0, insert: space + content + space };
  const whole = ofList ? `[${content}]` : `{${space}${content}${space}}`;
  const colon = text.slice(keyEnd, node.start).includes(':') ? '' : ':';
  return {
    offset: node.start,
    remove: node.end - node.start,
    insert: node.start === node.end ? `${colon} ${whole}` : whole,
  };
}

/** Below the field, in lines of its own; what stood for "empty" is removed, a comment beside it stays. */
function fillInBlock(
  text: string,
  { keyStart, keyEnd, value: node }: Entry,
  members: readonly Member[],
  layout: Layout,
): Edit[] {
  const indent = columnOf(text, keyStart) + ('item' in members[0]! ? layout.listStep : layout.step);
  const blocks = blocksOf(members, indent, { ...layout, compactItems: false });
  const below = insertLines(text, node.end, blocks, layout);
  if (node.start === node.end) return [below];
  const colon = text.indexOf(':', keyEnd) + 1;
  return [{ offset: colon, remove: node.end - colon, insert: '' }, below];
}

/** A string for each member: the lines of 100,000 would need several times the memory. */
function blocksOf(members: readonly Member[], indent: number, style: BlockStyle & Layout): string[] {
  return members.map((member) => renderBlock(member, indent, style).join(style.lineBreak));
}

/** Whole lines after the line in which `end` lies. */
function insertLines(text: string, end: number, blocks: readonly string[], { lineBreak }: Layout): Edit {
  const content = blocks.join(lineBreak);
  // A block scalar ends with its line break already.
  const atStart = end > 0 && (text[end - 1] === '\n' || text[end - 1] === '\r');
  const lineEnd = atStart ? end : endOfLine(text, end);
  if (atStart) return { offset: end, remove: 0, insert: content + lineBreak };
  if (lineEnd === text.length) return { offset: lineEnd, remove: 0, insert: lineBreak + content };
  const width = text.startsWith('\r\n', lineEnd) ? 2 : 1;
  return { offset: lineEnd + width, remove: 0, insert: content + lineBreak };
}

/** True in braces whose field names are quoted, as JSON wants them. */
function isJson(text: string, node: List | Mapping): boolean {
  const sample = node.kind === 'mapping' ? node : node.items.find((item) => item.kind === 'mapping');
  const first = sample?.kind === 'mapping' && sample.flow ? sample.entries[0] : undefined;
  return first !== undefined && text[first.keyStart] === '"';
}
