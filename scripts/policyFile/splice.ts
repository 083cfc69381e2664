import type { Entry, List, Mapping, Node } from '../policy/yaml/node.ts';
import { endOfLine } from '../policy/yaml/trivia.ts';
import type { Edit } from './edit.ts';
import { columnOf, type Layout } from './layout.ts';
import { renderBlock, renderFlow, type BlockStyle, type Member } from './render.ts';

/** A list or mapping to add to, as the value of a field; `owner` is the mapping that holds the field. */
export interface Holder {
  readonly owner: Mapping;
  readonly entry: Entry;
}

/** Edits that add a member at the end of the collection that a field holds; nothing after the colon counts as empty. */
export function append(text: string, { owner, entry }: Holder, member: Member, layout: Layout): Edit[] {
  const node = entry.value;
  if (node.kind !== 'scalar' && membersOf(node).length > 0) return [appendToFilled(text, node, member, layout)];
  const oneLine = !/[\r\n]/.test(text.slice(entry.keyStart, node.end));
  if (owner.flow || !oneLine) return [fillInFlow(text, entry, member, isJson(text, owner))];
  return fillInBlock(text, entry, member, layout);
}

/** The edit that adds a member at the end of a collection that has some. */
export function appendToFilled(text: string, node: List | Mapping, member: Member, layout: Layout): Edit {
  if (!node.flow) {
    const lines = renderBlock(member, columnOf(text, node.start), styleOf(node, layout));
    return insertLines(text, node.end, lines, layout);
  }
  const last = membersOf(node).at(-1)!;
  return { offset: last.end, remove: 0, insert: `, ${renderFlow(member, isJson(text, node))}` };
}

function membersOf(node: List | Mapping): readonly Node[] {
  return node.kind === 'list' ? node.items : node.entries.map((entry) => entry.value);
}

function styleOf(node: Node, layout: Layout): BlockStyle {
  const last = node.kind === 'list' ? node.items.at(-1) : undefined;
  return { ...layout, compactItems: last?.kind === 'mapping' && last.flow };
}

/** Into `[]`, `{}`, or after the colon of a field in braces. */
function fillInFlow(text: string, { keyEnd, value: node }: Entry, member: Member, json: boolean): Edit {
  const content = renderFlow(member, json);
  const blank = json || 'item' in member ? '' : ' ';
  if (node.kind !== 'scalar') return { offset: node.start + 1, remove: 0, insert: blank + content + blank };
  const whole = 'item' in member ? `[${content}]` : `{${blank}${content}${blank}}`;
  const colon = text.slice(keyEnd, node.start).includes(':') ? '' : ':';
  return {
    offset: node.start,
    remove: node.end - node.start,
    insert: node.start === node.end ? `${colon} ${whole}` : whole,
  };
}

/** Below the field, in lines of its own; what said "empty" goes, a comment beside it stays. */
function fillInBlock(text: string, { keyStart, keyEnd, value: node }: Entry, member: Member, layout: Layout): Edit[] {
  const indent = columnOf(text, keyStart) + ('item' in member ? layout.listStep : layout.step);
  const lines = renderBlock(member, indent, { ...layout, compactItems: false });
  const below = insertLines(text, node.end, lines, layout);
  if (node.start === node.end) return [below];
  const colon = text.indexOf(':', keyEnd) + 1;
  return [{ offset: colon, remove: node.end - colon, insert: '' }, below];
}

/** Whole lines after the line in which `end` lies. */
function insertLines(text: string, end: number, lines: readonly string[], { lineBreak }: Layout): Edit {
  const content = lines.join(lineBreak);
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
