/** A YAML value with its place in the text. Offsets count UTF-16 units; `end` is exclusive and includes quotes and brackets. */
export type Node = Scalar | List | Mapping;

export interface Scalar {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As it stands in the file, escapes resolved: `"2"` and `2` are both `2`. */
  readonly text: string;
  readonly quoted: boolean;
  readonly start: number;
  readonly end: number;
}

export interface List {
  readonly kind: 'list';
  readonly flow: boolean;
  readonly items: readonly Node[];
  readonly start: number;
  readonly end: number;
}

export interface Mapping {
  readonly kind: 'mapping';
  readonly flow: boolean;
  readonly entries: readonly Entry[];
  readonly start: number;
  readonly end: number;
}

export interface Entry {
  readonly key: string;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly value: Node;
}

/** From this many entries on, a mapping is looked up in an index: checks ask one of 100,000 consumers as often. */
const MIN_INDEXED = 16;
const indexes = new WeakMap<Mapping, ReadonlyMap<string, Entry>>();

/** The entry of that name; the first, should a mapping hold two. */
export function entryOf(node: Node | undefined, key: string): Entry | undefined {
  if (node?.kind !== 'mapping') return undefined;
  return node.entries.length < MIN_INDEXED ? node.entries.find((entry) => entry.key === key) : indexOf(node).get(key);
}

function indexOf(node: Mapping): ReadonlyMap<string, Entry> {
  let index = indexes.get(node);
  if (index === undefined) {
    // the first of two stays
    index = new Map([...node.entries].reverse().map((entry) => [entry.key, entry]));
    indexes.set(node, index);
  }
  return index;
}

export function isNull(node: Node): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** The plain value, for validation. Objects have no prototype, so that no name of a policy means anything to JavaScript. */
export function valueOf(node: Node): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(valueOf);
  const object: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const { key, value } of node.entries) {
    if (!(key in object) && key !== '__proto__') object[key] = valueOf(value);
  }
  return object;
}
