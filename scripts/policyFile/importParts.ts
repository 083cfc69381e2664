import { isDeepStrictEqual } from 'node:util';
import { MAX_KEY_SOURCES } from '../contract/table.ts';
import { parsePolicy, type Policy } from '../policy/index.ts';
import { entryOf, type Entry, type Mapping } from '../policy/yaml/document.ts';
import { type Change, editPolicy, type Guidance, tryEdit } from './change.ts';
import { PolicyFileError } from './error.ts';
import { editsOfFields, type FieldChange, removals } from './fields.ts';
import { mergedSection, type MergedSection } from './mergeParts.ts';
import {
  markOf,
  type Named,
  type Parts,
  type PartsComment,
  partsComment,
  partsComments,
  recordOf,
  type Section,
  SECTIONS,
} from './partsRecord.ts';
import { onlyFileOf, type OpenedPolicy, type PolicyFile } from './open.ts';
import type { Fields } from './record.ts';
import { type Member, rendered } from './render.ts';
import { append, appendToFilled, type Edit, type Layout, layoutOf } from './splice.ts';

/** Parts of a policy that a document describes, to become part of another. */
export interface ImportedParts {
  /** The document's file, without its folder. */
  readonly source: string;
  readonly parts: Parts;
  readonly keySources: readonly Fields[];
}

/** What became of one section. */
export interface SectionImport {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly kept: readonly { readonly name: string; readonly rule: string }[];
}

export interface PartsImport {
  readonly sections: Readonly<Record<Section, SectionImport>>;
  /** Changes beside the sections, in words. */
  readonly notes: readonly string[];
  /** False: the file is as it was. */
  readonly isChanged: boolean;
}

/** Merges parts into a policy file: what changed in the document changes there, what was edited there stays. */
export async function importParts(
  file: string,
  imported: ImportedParts,
  isTrial: boolean,
  { signal, onStep }: Guidance,
): Promise<PartsImport> {
  let result: PartsImport | null = null;
  const change = (opened: OpenedPolicy): Change | null => {
    const open = onlyFileOf(opened);
    const merge = new PartsMerge({ ...open, policy: opened.policy }, imported);
    const edits = merge.edits();
    result = merge.result(edits.length > 0);
    return edits.length === 0 ? null : { edits: [{ file: open, edits }], expected: merge.expected() };
  };
  if (isTrial) await tryEdit(file, change, onStep);
  else await editPolicy(file, signal, change, onStep);
  return result!;
}

type Value = Record<string, unknown>;

/** Who refers to entries of a section: what is referred to stays. */
const REFERRED: readonly Section[] = ['upstreams', 'plans', 'apis'];

/** One merge into one state of the file. */
class PartsMerge {
  readonly #root: Mapping;
  readonly #text: string;
  readonly #layout: Layout;
  readonly #old: PartsComment | undefined;
  readonly #parts: Parts;
  readonly #notes: string[] = [];
  readonly #expected: Value;
  readonly #merged = new Map<Section, MergedSection>();
  readonly #added: Member[] = [];

  constructor(
    private readonly open: PolicyFile & { readonly policy: Policy },
    private readonly imported: ImportedParts,
  ) {
    this.#root = open.root;
    this.#text = open.text;
    this.#layout = layoutOf(open.text, open.root);
    this.#expected = JSON.parse(JSON.stringify(open.root.value)) as Value;
    this.#old = this.#recordOf(partsComments(open.text));
    this.#parts = this.#fitting();
  }

  /** All edits, those at the same offset in the order in which they belong; none when the file says it all already. */
  edits(): Edit[] {
    for (const section of SECTIONS) this.#merge(section);
    this.#keepWhatIsUsed();
    const edits = SECTIONS.flatMap((section) => this.#editsOf(section));
    return [...edits, ...this.#keySourceEdits(), ...this.#newFields(), ...this.#recordEdits()];
  }

  result(isChanged: boolean): PartsImport {
    const sections = Object.fromEntries(
      SECTIONS.map((section) => {
        const { added, changed, removed, kept } = this.#merged.get(section)!;
        return [
          section,
          { added: added.map(([name]) => name), changed: changed.map(({ name }) => name), removed, kept },
        ];
      }),
    ) as unknown as PartsImport['sections'];
    return { sections, notes: this.#notes, isChanged };
  }

  /** The policy as it must be afterwards; where that has problems, reading the text will tell them. */
  expected(): Change['expected'] {
    return parsePolicy(this.#expected).policy ?? this.open.policy;
  }

  /** That of the document of this name; or one that cannot be read, if nothing else can be it. */
  #recordOf(all: readonly PartsComment[]): PartsComment | undefined {
    const own = all.find(({ record }) => record?.source === this.imported.source);
    if (own !== undefined) return own;
    const broken = all.find(({ record }) => record === null);
    if (broken !== undefined)
      this.#notes.push('has a record of the last import that cannot be read, so what is there already stays as it is');
    return broken;
  }

  /** Every API names its upstream as soon as a policy has one; a policy without any gets none. */
  #fitting(): Parts {
    const { parts } = this.imported;
    const { upstreams, apis } = this.open.policy;
    if (Object.keys(upstreams).length > 0 || Object.keys(apis).length === 0) return parts;
    if (Object.keys(parts.upstreams).length > 0)
      this.#notes.push('the policy has no upstreams, so those of the document are left out');
    const bare = Object.entries(parts.apis).map(([name, api]) => [name, withoutUpstreams(api)] as const);
    return { ...parts, upstreams: {}, apis: Object.fromEntries(bare) };
  }

  #merge(section: Section): void {
    const policy = (this.#expected[section] ?? {}) as Record<string, Fields | null>;
    const base = this.#old?.record?.marks[section] ?? null;
    this.#merged.set(section, mergedSection({ base, document: this.#parts[section], policy }));
  }

  /** What is gone from the document stays where things that stay refer to it. */
  #keepWhatIsUsed(): void {
    for (const section of REFERRED.toReversed()) {
      const merged = this.#merged.get(section)!;
      if (merged.removed.length === 0) continue;
      const used = this.#usedOf(section);
      const stay = merged.removed.filter((name) => used.has(name));
      if (stay.length === 0) continue;
      const rule = 'is no longer in the document, but something else in the policy names it; it stays';
      this.#merged.set(section, {
        ...merged,
        removed: merged.removed.filter((name) => !used.has(name)),
        kept: [...merged.kept, ...stay.map((name) => ({ name, rule }))],
      });
    }
  }

  #usedOf(section: Section): Set<string> {
    const used = new Set<string>();
    const add = (value: unknown): void => void (typeof value === 'string' && used.add(value));
    if (section !== 'apis')
      for (const api of this.#left('apis')) {
        for (const plan of section === 'plans' ? asList(api['plans']) : []) add(plan);
        if (section === 'upstreams')
          for (const one of [api, ...asList(api['routes'])]) add((one as Fields)['upstream']);
      }
    if (section !== 'upstreams')
      for (const consumer of this.#left('consumers')) {
        if (section === 'plans') add(consumer['plan']);
        for (const [api, one] of Object.entries((consumer['subscriptions'] ?? {}) as Named)) {
          if (section === 'apis') used.add(api);
          else add(one['plan']);
        }
      }
    return used;
  }

  /** Entries of a section as they will be. */
  *#left(section: Section): Generator<Fields> {
    const { removed, changed } = this.#merged.get(section)!;
    const gone = new Set(removed);
    const changes = new Map(changed.map((one) => [one.name, one.changes]));
    for (const [name, fields] of Object.entries((this.#expected[section] ?? {}) as Record<string, Fields | null>)) {
      if (gone.has(name)) continue;
      const after = { ...fields };
      for (const { field, value } of changes.get(name) ?? []) after[field] = value;
      yield after;
    }
  }

  #editsOf(section: Section): Edit[] {
    const { added, changed, removed } = this.#merged.get(section)!;
    if (added.length + changed.length + removed.length === 0) return [];
    const after = (this.#expected[section] ??= {}) as Record<string, Value>;
    for (const { name, changes } of changed) {
      after[name] = { ...after[name] };
      for (const { field, value } of changes) {
        if (value === undefined) delete after[name][field];
        else after[name][field] = value;
      }
    }
    for (const name of removed) delete after[name];
    for (const [name, fields] of added) after[name] = fields;
    const entry = entryOf(this.#root, section);
    const members = added.map(([name, fields]): Member => memberOf(section, name, fields));
    if (entry === undefined) {
      this.#added.push({ field: [section, { fields: members.flatMap((one) => ('field' in one ? [one.field] : [])) }] });
      return [];
    }
    const node = entry.value;
    const edits: Edit[] = [];
    if (node.kind === 'mapping') {
      for (const { name, changes } of changed) edits.push(...this.#editsOfEntry(node, entryOf(node, name)!, changes));
      if (removed.length > 0 && removed.length === node.entries.length && node.flow)
        throw new PolicyFileError(
          `${this.open.file}: "${section}" is written in braces and would lose all it has; nothing was changed`,
        );
      if (removed.length > 0)
        edits.push(
          ...removals(
            this.#text,
            node,
            removed.map((name) => entryOf(node, name)!),
          ),
        );
    }
    if (members.length > 0) edits.push(...append(this.#text, { owner: this.#root, entry }, members, this.#layout));
    return edits;
  }

  /** Of a mapping in a field, only what differs changes: comments may stand beside the rest. */
  #editsOfEntry(section: Mapping, entry: Entry, changes: readonly FieldChange[]): Edit[] {
    const whole: FieldChange[] = [];
    const edits: Edit[] = [];
    for (const change of changes) {
      const inner = entryOf(entry.value, change.field);
      if (inner?.value.kind !== 'mapping' || !isMapping(change.value)) {
        whole.push(change);
        continue;
      }
      const nested = differences(inner.value.value, change.value);
      edits.push(...editsOfFields(this.#text, entry.value as Mapping, inner, nested, this.#layout));
    }
    return [...edits, ...(whole.length === 0 ? [] : editsOfFields(this.#text, section, entry, whole, this.#layout))];
  }

  /** Key sources of the document that the policy does not have, unless somebody took them out. */
  #keySourceEdits(): Edit[] {
    const has = (list: unknown, source: unknown): boolean =>
      Array.isArray(list) && list.some((one) => isDeepStrictEqual(JSON.parse(JSON.stringify(one)), source));
    const { keySources } = this.open.policy;
    const wanted = this.imported.keySources.filter(
      (source) => !has(keySources, source) && !has(this.#old?.record?.keySources, source),
    );
    const missing = wanted.slice(0, MAX_KEY_SOURCES - keySources.length);
    if (missing.length < wanted.length)
      this.#notes.push(
        `keys are looked for in at most ${MAX_KEY_SOURCES} places; left out: ${named(wanted.slice(missing.length))}`,
      );
    if (missing.length === 0) return [];
    this.#notes.push(`keys are also taken from ${named(missing)}`);
    const all = [...(keySources as readonly Fields[]), ...missing];
    this.#expected['keySources'] = all;
    const entry = entryOf(this.#root, 'keySources');
    if (entry !== undefined)
      return append(
        this.#text,
        { owner: this.#root, entry },
        missing.map((item) => ({ item: rendered(item) })),
        this.#layout,
      );
    this.#added.push({ field: ['keySources', { items: all.map(rendered) }] });
    return [];
  }

  #recordEdits(): Edit[] {
    // JSON has no comments
    if (this.#root.flow) {
      this.#notes.push(
        'is JSON, which has no comments for a record of this import: the next one cannot tell edits from changes',
      );
      return [];
    }
    const record = recordOf(this.imported.source, this.imported.keySources, this.#parts);
    const old = this.#old;
    if (old !== undefined && isDeepStrictEqual(old.record, JSON.parse(JSON.stringify(record)))) return [];
    const { lineBreak } = this.#layout;
    const comment = partsComment(record).replaceAll('\n', lineBreak);
    if (old !== undefined) return [{ offset: old.offset, remove: old.length, insert: comment }];
    const start = this.#text.endsWith('\n') ? lineBreak : lineBreak + lineBreak;
    return [{ offset: this.#text.length, remove: 0, insert: start + comment + lineBreak }];
  }

  /** Fields of the policy itself come after what is added within the last of them. */
  #newFields(): Edit[] {
    return this.#added.length === 0 ? [] : [appendToFilled(this.#text, this.#root, this.#added, this.#layout)];
  }
}

/** An entry as it is written into a section: APIs and consumers in lines of their own. */
export function memberOf(
  section: Section,
  name: string,
  fields: Fields,
): { readonly field: [string, ReturnType<typeof rendered>] } {
  if (section === 'upstreams') return { field: [name, rendered(fields)] };
  return {
    field: [
      name,
      {
        fields: Object.entries(fields).map(([field, value]) => [
          field,
          isInLines(field) && typeof value === 'object' && value !== null
            ? Array.isArray(value)
              ? { items: value.map(rendered) }
              : { fields: Object.entries(value).map(([key, one]) => [key, rendered(one)] as const) }
            : rendered(value),
        ]),
        ...(Object.keys(fields).length === 0 && { isCompact: true }),
      },
    ],
  };
}

function isInLines(field: string): boolean {
  return ['operations', 'routes', 'keys', 'quotas', 'subscriptions'].includes(field);
}

function isMapping(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function differences(before: Fields, after: Fields): FieldChange[] {
  const fields = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...fields].flatMap((field) =>
    markOf(before[field] ?? null) === markOf(after[field] ?? null) ? [] : [{ field, value: after[field] }],
  );
}

function withoutUpstreams(api: Fields): Fields {
  const bare = (fields: Fields): Fields =>
    Object.fromEntries(Object.entries(fields).filter(([field]) => field !== 'upstream'));
  const { routes } = api;
  return Array.isArray(routes) ? { ...bare(api), routes: (routes as Fields[]).map(bare) } : bare(api);
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function named(sources: readonly Fields[]): string {
  return sources.map((source) => Object.entries(source).flat().join(' ')).join(', ');
}
