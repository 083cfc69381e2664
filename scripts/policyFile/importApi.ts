import { isDeepStrictEqual } from 'node:util';
import { MAX_KEY_SOURCES } from '../contract/table.ts';
import { parsePolicy } from '../policy/index.ts';
import { entryOf, type Entry, type Mapping } from '../policy/yaml/document.ts';
import { type Change, editPolicy, type FileEdits, type Guidance, tryEdit } from './change.ts';
import { PolicyFileError } from './error.ts';
import { editsOfFields, type FieldChange, removals } from './fields.ts';
import { type Kept, mergedFields, mergedOperations, type MergedOperations, said } from './merge.ts';
import { type Fields, type ImportRecord, recordComment, type RecordComment, recordsIn } from './record.ts';
import { fileForNew, fileOf, type OpenedPolicy, type PolicyFile, refuseOther } from './open.ts';
import { type Member, rendered } from './render.ts';
import { append, appendToFilled, type Edit, type Layout, layoutOf } from './splice.ts';

/** An API that a document describes, to become part of a policy. */
export interface ImportedApi {
  /** The document's file, without its folder. */
  readonly source: string;
  /** Name of the API; undefined: the one that was imported from this file before, or `usualName`. */
  readonly name: string | undefined;
  readonly usualName: string;
  /** Fields that the document says, without operations and plans. */
  readonly fields: Fields;
  readonly operations: Readonly<Record<string, Fields>>;
  readonly keySources: readonly Fields[];
  /** Plans that offer the API, where the document says. */
  readonly plans: readonly string[] | null;
  /** Plans that operations ask for. */
  readonly namedPlans: readonly string[];
  /** Of plans that the policy does not have yet. */
  readonly quotas: Fields | null;
  /** Plans that offer a new API, as the user wants it. */
  readonly wantedPlans: readonly string[] | null;
  /** The file of a folder to which a new API goes. Default: the only one that has APIs. */
  readonly file?: string | undefined;
}

export interface ApiImport {
  readonly api: string;
  readonly isNew: boolean;
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly kept: readonly Kept[];
  /** Changes beside operations, in words. */
  readonly notes: readonly string[];
  /** The file in which it stands. */
  readonly file: string;
  /** False: all files are as they were. */
  readonly isChanged: boolean;
}

/** Merges an API into a policy: what changed in the document changes there, what was edited there stays. */
export async function importApi(
  file: string,
  imported: ImportedApi,
  isTrial: boolean,
  { signal, onStep }: Guidance,
): Promise<ApiImport> {
  let result: ApiImport | null = null;
  const change = (open: OpenedPolicy): Change | null => {
    const merge = new Merge(open, imported);
    const edits = merge.edits();
    result = merge.result(edits.length > 0);
    return edits.length === 0 ? null : { edits, expected: merge.expected() };
  };
  if (isTrial) await tryEdit(file, change, onStep);
  else await editPolicy(file, signal, change, onStep);
  return result!;
}

type Value = Record<string, unknown>;

/** A file that gets edits. */
class Target {
  readonly root: Mapping;
  readonly text: string;
  readonly layout: Layout;
  /** Fields of the policy itself come after what is added within the last of them. */
  readonly added: Member[] = [];

  constructor(readonly file: PolicyFile) {
    this.root = file.root;
    this.text = file.text;
    this.layout = layoutOf(file.text, file.root);
  }

  /** Adds members to a collection that a field holds, or to a new one. */
  appendTo(owner: Mapping, field: string, members: readonly Member[]): Edit[] {
    const entry = entryOf(owner, field);
    if (entry !== undefined) return append(this.text, { owner, entry }, members, this.layout);
    const value =
      'item' in members[0]!
        ? { items: members.map((member) => ('item' in member ? member.item : '')) }
        : { fields: members.flatMap((member) => ('field' in member ? [member.field] : [])) };
    if (owner !== this.root) return [appendToFilled(this.text, owner, [{ field: [field, value] }], this.layout)];
    this.added.push({ field: [field, value] });
    return [];
  }

  newFields(): Edit[] {
    return this.added.length === 0 ? [] : [appendToFilled(this.text, this.root, this.added, this.layout)];
  }
}

/** One merge into one state of the policy. */
class Merge {
  readonly #api: string;
  readonly #old: RecordComment | undefined;
  /** The record in the file where the API stands. */
  readonly #here: RecordComment | undefined;
  readonly #plans: readonly string[];
  readonly #notes: string[] = [];
  readonly #expected: Value;
  readonly #targets: readonly Target[];
  /** Where the API stands. */
  readonly #target: Target;
  #operations: MergedOperations = { added: [], changed: [], removed: [], kept: [] };
  #kept: Kept[] = [];

  constructor(
    private readonly open: OpenedPolicy,
    private readonly imported: ImportedApi,
  ) {
    this.#targets = open.files.map((file) => new Target(file));
    this.#api = imported.name ?? this.#knownApi() ?? imported.usualName;
    this.#target = this.#targetOfApi();
    this.#here = recordIn(this.#target.file, this.#api);
    // an API that was moved to another file may have left its record behind
    const texts = [this.#target.file, ...open.files];
    this.#old = texts.map((file) => recordIn(file, this.#api)).find((record) => record !== undefined);
    this.#expected = JSON.parse(JSON.stringify(open.value)) as Value;
    this.#plans = this.#plansOf();
  }

  /** The API that was imported from a file of this name before. */
  #knownApi(): string | undefined {
    const records = this.open.files.flatMap(({ text }) => recordsIn(text));
    const mine = records.filter(({ record }) => record?.source === this.imported.source).map(({ api }) => api);
    const [known, ...others] = new Set(mine);
    if (others.length === 0) return known;
    throw new PolicyFileError(
      `${this.open.name}: has several APIs from a document of this name (${[known, ...others].join(', ')}); say which with --api`,
    );
  }

  #targetOfApi(): Target {
    const what = `API "${this.#api}"`;
    const wanted = this.imported.file;
    const file = fileOf(this.open, 'apis', this.#api) ?? fileForNew(this.open, 'apis', what, wanted);
    refuseOther(this.open, file, what, wanted);
    return this.#targets.find((target) => target.file === file)!;
  }

  /** The only file that has a field, or else the one of the API. */
  #targetOf(field: string): Target {
    const [holder, ...others] = this.#targets.filter(({ root }) => entryOf(root, field) !== undefined);
    return holder === undefined || others.length > 0 ? this.#target : holder;
  }

  #plansOf(): readonly string[] {
    const { wantedPlans, plans, namedPlans } = this.imported;
    const usual = wantedPlans ?? plans ?? Object.keys(this.open.policy.plans);
    return [...new Set([...usual, ...namedPlans])];
  }

  /**
   * All edits, of a file those at the same offset in the order in which they belong; none when the files say it all already. The
   * API's file comes last: it needs the others, and they do not need it.
   */
  edits(): FileEdits[] {
    const target = this.#target;
    const api = entryOf(entryOf(target.root, 'apis')?.value, this.#api);
    const edits = new Map<Target, Edit[]>(this.#targets.filter((one) => one !== target).map((one) => [one, []]));
    edits.set(target, api === undefined ? this.#newApi() : this.#editsOfApi(api));
    const [plans, keySources] = [this.#targetOf('plans'), this.#targetOf('keySources')];
    edits.get(plans)!.push(...this.#planEdits(plans));
    edits.get(keySources)!.push(...this.#keySourceEdits(keySources));
    for (const [one, list] of edits) list.push(...one.newFields());
    edits.get(target)!.push(...this.#recordEdits());
    return [...edits].filter(([, list]) => list.length > 0).map(([{ file }, list]) => ({ file, edits: list }));
  }

  result(isChanged: boolean): ApiImport {
    const { added, changed, removed, kept } = this.#operations;
    return {
      api: this.#api,
      isNew: !Object.hasOwn(this.open.policy.apis, this.#api),
      added: added.map(([key]) => key),
      changed: changed.map(({ key }) => key),
      removed,
      kept: [...this.#kept, ...kept],
      notes: this.#notes,
      file: this.#target.file.file,
      isChanged,
    };
  }

  /** The policy as it must be afterwards; where that has problems, reading the text will tell them. */
  expected(): Change['expected'] {
    return parsePolicy(this.#expected).policy ?? this.open.policy;
  }

  #newApi(): Edit[] {
    const { fields, operations } = this.imported;
    const { hosts, paths, ...rest } = fields;
    const value = {
      ...(hosts !== undefined && { hosts }),
      paths,
      plans: this.#plans,
      ...rest,
      unlisted: 'deny',
      operations,
    };
    const lines = Object.entries(value).map(([name, field]) =>
      name === 'operations'
        ? ([name, { fields: Object.entries(operations).map(([key, one]) => [key, rendered(one)] as const) }] as const)
        : ([name, rendered(field)] as const),
    );
    this.#operations = { ...this.#operations, added: Object.entries(operations) };
    this.#mappingOf(this.#expected, 'apis')[this.#api] = value;
    if (this.imported.wantedPlans === null && this.imported.plans === null)
      this.#notes.push(
        `offered by the plans ${this.#plans.join(', ') || 'of nobody'}; --plan names others for a new API`,
      );
    return this.#target.appendTo(this.#target.root, 'apis', [{ field: [this.#api, { fields: lines }] }]);
  }

  #editsOfApi(entry: Entry): Edit[] {
    const base = this.#base();
    const { text, root, layout } = this.#target;
    const api = entry.value as Mapping;
    const here = (this.#expected['apis'] as Value)[this.#api] as Value;
    const written = { ...this.imported.fields, ...(this.imported.plans && { plans: this.imported.plans }) };
    const merged = mergedFields({ base: base?.fields ?? null, document: written, policy: here });
    const missing = this.imported.namedPlans.filter((plan) => !asList(here['plans']).includes(plan));
    const changes = merged.changes.filter(({ field }) => field !== 'plans' || missing.length === 0);
    if (missing.length > 0) changes.push({ field: 'plans', value: [...asList(here['plans']), ...missing] });
    this.#kept = merged.kept.map((field) => ({
      key: this.#api,
      rule: `has "${field}" of its own; the document says ${said(written, [field])}`,
    }));
    for (const { field } of changes) this.#notes.push(`"${field}" follows the document`);
    for (const change of changes) apply(here, change);
    return [
      ...this.#editsOfOperations(api, here, base),
      ...editsOfFields(text, entryOf(root, 'apis')!.value as Mapping, entry, changes, layout),
    ];
  }

  #editsOfOperations(api: Mapping, here: Value, base: ImportRecord | null): Edit[] {
    const entry = entryOf(api, 'operations');
    const policy = Object.fromEntries(
      Object.entries((here['operations'] ?? {}) as Record<string, Fields | null>).map(([key, fields]) => [
        key,
        fields ?? {},
      ]),
    );
    this.#operations = mergedOperations({ base: base?.operations ?? null, document: this.imported.operations, policy });
    const { added, changed, removed } = this.#operations;
    const operations = { ...policy } as Record<string, Value>;
    for (const { key, changes } of changed) {
      const fields = { ...operations[key] };
      for (const change of changes) apply(fields, change);
      operations[key] = fields;
    }
    for (const key of removed) delete operations[key];
    for (const [key, fields] of added) operations[key] = fields;
    if (added.length + changed.length + removed.length > 0) here['operations'] = operations;
    const members = added.map(([key, fields]): Member => ({ field: [key, rendered(fields)] }));
    const owner = entry?.value;
    const node = owner?.kind === 'mapping' ? owner : null;
    const { text, layout } = this.#target;
    const edits = changed.flatMap(({ key, changes }) =>
      editsOfFields(text, node!, entryOf(node!, key)!, changes, layout),
    );
    if (removed.length > 0)
      edits.push(
        ...removals(
          text,
          node!,
          removed.flatMap((key) => entryOf(node!, key) ?? []),
        ),
      );
    if (members.length > 0) edits.push(...this.#target.appendTo(api, 'operations', members));
    return edits;
  }

  /** The record of the last import; null where there is none to go by. */
  #base(): ImportRecord | null {
    if (this.#old === undefined) {
      this.#notes.push('was not imported before, so what is there already stays as it is');
      return null;
    }
    if (this.#old.record === null)
      this.#notes.push('has a record of the last import that cannot be read, so what is there already stays as it is');
    return this.#old.record;
  }

  /** Key sources of the document that the policy does not have, unless somebody took them out. */
  #keySourceEdits(target: Target): Edit[] {
    const entry = entryOf(target.root, 'keySources');
    const has = (list: unknown, source: unknown): boolean =>
      Array.isArray(list) && list.some((one) => isDeepStrictEqual(JSON.parse(JSON.stringify(one)), source));
    const before = this.#old?.record?.keySources;
    const wanted = this.imported.keySources.filter(
      (source) => !has(this.open.policy.keySources, source) && !has(before, source),
    );
    const missing = wanted.slice(0, MAX_KEY_SOURCES - this.open.policy.keySources.length);
    if (missing.length < wanted.length)
      this.#notes.push(
        `keys are looked for in at most ${MAX_KEY_SOURCES} places; left out: ${named(wanted.slice(missing.length))}`,
      );
    if (missing.length === 0) return [];
    this.#notes.push(`keys are also taken from ${named(missing)}`);
    const all = [...(this.open.policy.keySources as readonly Fields[]), ...missing];
    this.#expected['keySources'] = all;
    if (entry === undefined)
      return target.appendTo(
        target.root,
        'keySources',
        all.map((item) => ({ item: rendered(item) })),
      );
    return append(
      target.text,
      { owner: target.root, entry },
      missing.map((item) => ({ item: rendered(item) })),
      target.layout,
    );
  }

  /** Plans that the document names and the policy does not have. */
  #planEdits(target: Target): Edit[] {
    const names = new Set([
      ...(this.imported.plans ?? []),
      ...this.imported.namedPlans,
      ...(this.imported.wantedPlans ?? []),
    ]);
    const missing = [...names].filter((name) => !Object.hasOwn(this.open.policy.plans, name));
    if (missing.length === 0) return [];
    const { quotas } = this.imported;
    const value = quotas === null ? {} : { quotas };
    this.#notes.push(`new plans: ${missing.join(', ')}${quotas === null ? ', without quotas yet' : ''}`);
    for (const name of missing) this.#mappingOf(this.#expected, 'plans')[name] = value;
    return target.appendTo(
      target.root,
      'plans',
      missing.map((name) => ({ field: [name, rendered(value)] })),
    );
  }

  #recordEdits(): Edit[] {
    const { text, root, layout } = this.#target;
    // JSON has no comments
    if (root.flow) {
      this.#notes.push(
        'is JSON, which has no comments for a record of this import: the next one cannot tell edits from changes',
      );
      return [];
    }
    const { source, fields, plans, operations, keySources } = this.imported;
    const record: ImportRecord = {
      source,
      api: this.#api,
      fields: { ...fields, ...(plans && { plans }) },
      operations,
      keySources,
    };
    const old = this.#here;
    if (old !== undefined && isDeepStrictEqual(old.record, JSON.parse(JSON.stringify(record)))) return [];
    const comment = recordComment(record).replaceAll('\n', layout.lineBreak);
    if (old !== undefined) return [{ offset: old.offset, remove: old.length, insert: comment }];
    const { lineBreak } = layout;
    const start = text.endsWith('\n') ? lineBreak : lineBreak + lineBreak;
    return [{ offset: text.length, remove: 0, insert: start + comment + lineBreak }];
  }

  #mappingOf(value: Value, field: string): Value {
    value[field] ??= {};
    return value[field] as Value;
  }
}

function recordIn({ text }: PolicyFile, api: string): RecordComment | undefined {
  return recordsIn(text).find((record) => record.api === api);
}

function named(sources: readonly Fields[]): string {
  return sources.map((source) => Object.entries(source).flat().join(' ')).join(', ');
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function apply(fields: Value, { field, value }: FieldChange): void {
  if (value === undefined) delete fields[field];
  else fields[field] = value;
}
