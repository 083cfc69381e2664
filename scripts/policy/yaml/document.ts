import {
  COLLECTION_STYLE,
  EVENT_ID,
  NOT_RESOLVED,
  SCALAR_STYLE,
  YAMLException,
  boolCoreTag,
  floatCoreTag,
  getScalarValue,
  intCoreTag,
  nullCoreTag,
  parseEvents,
  type AliasEvent,
  type Event,
  type MappingEvent,
  type ScalarEvent,
  type SequenceEvent,
} from 'js-yaml';
import { MAX_EXACT } from '../../contract/table.ts';
import {
  DEPTH_RULE,
  FIELD_LENGTH_RULE,
  MAX_DEPTH,
  MAX_FIELD_CHARACTERS,
  MAX_VALUES,
  PROTO_REMARK,
  VALUES_RULE,
} from '../check/plain.ts';
import { isSafeName, type Path } from '../secret.ts';
import { indentRule, Lines, skipTrivia } from './line.ts';

/** A YAML value with its place in the text. Offsets count UTF-16 units; `end` is exclusive and includes quotes and brackets. */
export type Node = Scalar | List | Mapping;

interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Scalar extends Span {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As it stands in the file, escapes resolved: `"2"` and `2` are both `2`. */
  readonly text: string;
  readonly isQuoted: boolean;
}

export interface List extends Span {
  readonly kind: 'list';
  readonly flow: boolean;
  readonly items: readonly Node[];
  readonly value: readonly unknown[];
}

export interface Mapping extends Span {
  readonly kind: 'mapping';
  readonly flow: boolean;
  readonly entries: readonly Entry[];
  /** The plain value. It inherits no name, so that none of a policy's means anything to JavaScript. */
  readonly value: Readonly<Record<string, unknown>>;
}

export interface Entry {
  readonly key: string;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly value: Node;
}

/** With fewer entries, looking at each is as fast as an index, and takes no memory. */
const MIN_INDEXED = 16;
const indexes = new WeakMap<Mapping, ReadonlyMap<string, Entry>>();

/** The entry of that name; the first, should a mapping hold two. */
export function entryOf(node: Node | undefined, key: string): Entry | undefined {
  if (node?.kind !== 'mapping') return undefined;
  if (node.entries.length < MIN_INDEXED) return node.entries.find((entry) => entry.key === key);
  const index = indexes.get(node) ?? firstByName(node.entries);
  indexes.set(node, index);
  return index.get(key);
}

function firstByName(entries: readonly Entry[]): Map<string, Entry> {
  // of two entries of a name a Map keeps the later one
  return new Map(entries.toReversed().map((entry) => [entry.key, entry]));
}

/** A problem of the text itself, which no plain value has. */
export interface TextProblem {
  readonly offset: number;
  readonly path: Path;
  readonly rule: string;
  readonly found?: string;
}

/** A string, read as YAML. */
export interface Document {
  /** Null when the text is not YAML at all. */
  readonly root: Node | null;
  readonly problems: readonly TextProblem[];
  /** Places of aliases, which stand for nothing here. */
  readonly aliases: ReadonlySet<Node>;
}

/** The parser's reasons that mostly have another cause, and what to say instead. */
const PLAINER = new Map([
  ['deficient indentation', 'indented too little, or a bracket or quote before it is not closed'],
  [
    'missed comma between flow collection entries',
    'a comma is missing, or a string needs quotes: one with {, }, [ or ] in it, or with @, `, %, |, > or # at its beginning',
  ],
  ['bad indentation of a mapping entry', 'indented wrongly, or a string with ": " in it that needs quotes'],
]);

/** What the parser says of lines that fit into no block above them. */
const OF_INDENTATION = new Set([
  'bad indentation of a mapping entry',
  'bad indentation of a sequence entry',
  'end of the stream or a document separator is expected',
]);

/** Reads one YAML document. A policy is data: anchors, aliases and tags are refused, so nothing can be expanded. */
export function readDocument(text: string, maxDepth: number = MAX_DEPTH): Document {
  const nul = text.indexOf('\0');
  if (nul >= 0) return refusal(nul, 'must not hold a NUL byte');
  const excess = excessOf(text);
  if (excess >= 0) return refusal(excess, VALUES_RULE);
  try {
    const events = parseEvents(text, { maxDepth });
    return events.length === 0 ? refusal(0, EMPTY_RULE) : new Composer(text, events).document();
  } catch (error) {
    if (error instanceof NameTooLong) return refusal(error.offset, FIELD_LENGTH_RULE);
    if (!(error instanceof YAMLException)) throw error;
    const offset = error.mark?.position ?? 0;
    return refusal(offset, yamlRule(error.reason, text, offset));
  }
}

export const EMPTY_RULE = 'must hold a policy; the file is empty';

/** The offset at which a string exceeds MAX_VALUES characters that can begin a value, or -1. Keeps the parser from filling the memory with objects. */
export function excessOf(text: string): number {
  if (text.length <= MAX_VALUES) return -1;
  let signs = 0;
  for (let at = 0; at < text.length; at++) if (isSign(text, at) && ++signs > MAX_VALUES) return at;
  return -1;
}

/** True when strings exceed MAX_VALUES together. */
export function exceedTogether(texts: readonly string[]): boolean {
  if (texts.reduce((sum, { length }) => sum + length, 0) <= MAX_VALUES) return false;
  let signs = 0;
  for (const text of texts)
    for (let at = 0; at < text.length; at++) if (isSign(text, at) && ++signs > MAX_VALUES) return true;
  return false;
}

/** True for a character that can begin a value. */
function isSign(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return (
    code === 0x0a ||
    code === 0x2c /* , */ ||
    code === 0x3a /* : */ ||
    code === 0x3f /* ? */ ||
    code === 0x5b /* [ */ ||
    code === 0x7b /* { */ ||
    // a dash begins an item of a list; others stand in names and times
    (code === 0x2d /* - */ && text.charCodeAt(at + 1) <= 0x20)
  );
}

function refusal(offset: number, rule: string): Document {
  return { root: null, problems: [{ offset, path: [], rule }], aliases: new Set() };
}

/** The parser's reason, without the words of the file that it may quote. */
function yamlRule(reason: string, text: string, offset: number): string {
  if (reason.startsWith('nesting exceeded')) return DEPTH_RULE;
  if (reason.startsWith('tab characters')) return 'must be indented with spaces, not tabs';
  const rule = OF_INDENTATION.has(reason) ? indentRule(text, offset) : null;
  return `must be valid YAML: ${rule ?? PLAINER.get(reason) ?? reason.replace(/(: |").*$/s, '').trim()}`;
}

const TAGS = [nullCoreTag, boolCoreTag, intCoreTag, floatCoreTag];

/** What an unquoted scalar means in YAML's core schema; a time is a string. */
export function plainScalar(text: string): string | number | boolean | null {
  for (const tag of TAGS) {
    const value: unknown = tag.resolve(text, false, tag.tagName);
    if (value === NOT_RESOLVED) continue;
    if (typeof value === 'number') return exact(value, text);
    return value as boolean | null;
  }
  return text;
}

/** Numbers that lost digits become one that every bound refuses: 9007199254740993 must not pass for 9007199254740992. */
function exact(value: number, text: string): number {
  if (!(Math.abs(value) >= MAX_EXACT)) return value;
  return /^\+?\d+$/.test(text) && BigInt(text.replace('+', '')) <= BigInt(MAX_EXACT)
    ? value
    : Number.MAX_VALUE * Math.sign(value);
}

/** Ends the reading: such a name would stand in the path of everything below it. */
class NameTooLong extends Error {
  constructor(readonly offset: number) {
    super();
  }
}

/** A plain mapping to be. What `Object.create(null)` makes V8 keeps as a hash table, several times as large. */
export class Bare {
  [name: string]: unknown;
}
Object.setPrototypeOf(Bare.prototype, null);
Reflect.deleteProperty(Bare.prototype, 'constructor');

/**
 * Builds the nodes of the first document from the parser's events, which are flat and do not say where a node ends. Events of
 * a large policy need more memory than its nodes, so each is let go when it has been used.
 */
class Composer {
  readonly #problems: TextProblem[] = [];
  readonly #aliases = new Set<Node>();
  /** Of the node at hand; copied only where there is a problem. */
  readonly #path: (string | number)[] = [];
  #lines: Lines | null = null;
  #at = 1;

  constructor(
    private readonly text: string,
    private readonly events: (Event | null)[],
  ) {}

  document(): Document {
    const root = this.#node(0);
    // what comes after the end of the first document is another one
    if (this.events.length > this.#at + 1) {
      const offset = Math.min(skipTrivia(this.text, root.end), Math.max(this.text.length - 1, 0));
      this.#problems.push({ offset, path: [], rule: 'must be a single YAML document' });
    }
    return { root, problems: this.#problems, aliases: this.#aliases };
  }

  #take(): Event {
    const event = this.events[this.#at]!;
    this.events[this.#at++] = null;
    return event;
  }

  /** True at the end of a collection, which is passed. */
  #isOver(): boolean {
    return this.events[this.#at]!.type === EVENT_ID.POP && this.#at++ > 0;
  }

  #member(segment: string | number, from: number): Node {
    this.#path.push(segment);
    const node = this.#node(from);
    this.#path.pop();
    return node;
  }

  /** `from` is where an empty node stands: events do not say. */
  #node(from: number): Node {
    const event = this.#take() as ScalarEvent | SequenceEvent | MappingEvent | AliasEvent;
    if (event.type === EVENT_ID.ALIAS) return this.#alias(event);
    if (event.anchorStart >= 0) this.#refuseProperty(event.anchorStart - 1, 'anchor');
    if (event.tagStart >= 0) this.#refuseProperty(event.tagStart, 'tag');
    if (event.type === EVENT_ID.SCALAR) return this.#scalar(event, from);
    return event.type === EVENT_ID.SEQUENCE ? this.#list(event) : this.#mapping(event);
  }

  #refuse(offset: number, rule: Omit<TextProblem, 'offset' | 'path'>, path: Path = this.#path): void {
    this.#problems.push({ offset, path: [...path], ...rule });
  }

  #refuseProperty(offset: number, kind: string): void {
    const rule = `must be in quotes if it is meant as a string: at its beginning "${this.text[offset]!}" makes it a YAML ${kind}, and a policy takes none`;
    this.#refuse(offset, { rule });
  }

  #alias({ anchorStart, anchorEnd }: AliasEvent): Node {
    this.#refuseProperty(anchorStart - 1, 'alias');
    const span = { start: anchorStart - 1, end: anchorEnd };
    const node: Node = { kind: 'scalar', value: null, text: '', isQuoted: false, ...span };
    this.#aliases.add(node);
    return node;
  }

  #scalar(event: ScalarEvent, from: number): Scalar {
    const text = getScalarValue(this.text, event);
    const quotes = event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED ? 1 : 0;
    const isQuoted = event.style !== SCALAR_STYLE.PLAIN;
    const [start, end] = event.valueStart < 0 ? [from, from] : [event.valueStart - quotes, event.valueEnd + quotes];
    return { kind: 'scalar', value: isQuoted ? text : plainScalar(text), text, isQuoted, start, end };
  }

  #list({ style, start }: SequenceEvent): List {
    const flow = style === COLLECTION_STYLE.FLOW;
    const items: Node[] = [];
    let end = flow ? start + 1 : start;
    while (!this.#isOver()) {
      const item = this.#member(items.length, flow ? end : skipTrivia(this.text, end) + 1);
      items.push(item);
      end = item.end;
    }
    const value = items.map((item) => item.value);
    return { kind: 'list', flow, items: fitted(items), value, start, end: flow ? this.#closing(end) : end };
  }

  #mapping({ style, start }: MappingEvent): Mapping {
    const flow = style === COLLECTION_STYLE.FLOW;
    // `[a: 1]` holds a flow mapping without braces.
    const braces = flow && this.text[start] === '{';
    const entries: Entry[] = [];
    const value: Record<string, unknown> = new Bare();
    let hasProto = false;
    let named: Map<string, Entry> | null = null;
    let end = braces ? start + 1 : start;
    while (!this.#isOver()) {
      const [key, keyNode] = this.#key(end);
      const colon = skipTrivia(this.text, keyNode.end);
      const after = this.text[colon] === ':' ? colon + 1 : keyNode.end;
      const node = this.#member(key ?? '', after);
      end = node.end;
      if (key === null) continue;
      const entry = { key, keyStart: keyNode.start, keyEnd: keyNode.end, value: node };
      const isProto = key === '__proto__';
      if (isProto ? hasProto : key in value) {
        named ??= firstByName(entries);
        this.#refuseTwin(entry, named.get(key)!);
      } else {
        named?.set(key, entry);
        if (isProto) hasProto = true;
        else value[key] = node.value;
      }
      entries.push(entry);
    }
    return { kind: 'mapping', flow, entries: fitted(entries), value, start, end: braces ? this.#closing(end) : end };
  }

  /** The next key; null when it is not a string. */
  #key(from: number): [string | null, Node] {
    const node = this.#node(from);
    const { start: offset } = node;
    if (node.kind !== 'scalar') {
      this.#refuse(offset, { rule: 'must have strings as field names' });
      return [null, node];
    }
    if (node.text.length > MAX_FIELD_CHARACTERS) throw new NameTooLong(offset);
    if (node.text === '__proto__') this.#refuse(offset, PROTO_REMARK);
    return [node.text, node];
  }

  #refuseTwin({ key, keyStart }: Entry, twin: Entry): void {
    this.#lines ??= new Lines(this.text);
    const rule = `must be given once; it stands on line ${this.#lines.lineOf(twin.keyStart)} already`;
    this.#refuse(keyStart, { rule }, isSafeName(key) ? [...this.#path, key] : this.#path);
  }

  /** End of a flow collection whose last member ends at `from`. */
  #closing(from: number): number {
    return skipTrivia(this.text, from, ',') + 1;
  }
}

/** The same array without the room for 16 more that V8 gives to one that grows. */
function fitted<T>(array: readonly T[]): readonly T[] {
  return array.slice();
}
