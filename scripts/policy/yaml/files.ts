import { judge, type Judged } from '../check/checkPolicy.ts';
import { type Remark } from '../check/draft.ts';
import { MAX_POLICY_BYTES, VALUES_RULE } from '../check/plain.ts';
import type { Policy } from '../schema/policy.ts';
import { LEAK_RULE, leaksIn, printPath, quote, shownAt, type Path } from '../secret.ts';
import { Bare, EMPTY_RULE, entryOf, exceedTogether, readDocument } from './document.ts';
import type { Document, Entry, Mapping, Node } from './document.ts';
import { placed, PolicyProblems, Printer, spotOf, unusable, MAX_LISTED } from './readPolicy.ts';
import type { LoadResult, Placed, Problem, NodePlace, ValidPolicy } from './readPolicy.ts';

/** One of the files that a policy is made of. */
export interface PolicyText {
  /** What messages call it. */
  readonly file: string;
  readonly text: string;
}

/** The same with its nodes, for who edits it. */
export interface PolicyPart extends PolicyText {
  readonly root: Mapping;
}

/** Fields whose names may be spread over files, each name in one of them. Any other field stands in one file only. */
const SPREAD = new Set(['upstreams', 'apis', 'plans', 'consumers']);
const NO_POLICY_RULE =
  'must have the field "policy", the same in all files: each .yaml, .yml and .json file of the folder is part of the policy';

/**
 * Reads a policy that is spread over files, YAML or JSON each; they count in the order given, where order means anything.
 * `source` is what messages call all of them together, `nowSeconds` (since 1970) is for warnings about the past.
 */
export function readPolicyFiles(
  files: readonly PolicyText[],
  source: string,
  nowSeconds: number = Date.now() / 1000,
): LoadResult {
  return new Reading(files, source).result(nowSeconds);
}

/** The policy that files hold together; throws PolicyProblems, which names every problem, when there is one. */
export function validPolicyFiles(files: readonly PolicyText[], source: string, nowSeconds?: number): ValidPolicy {
  const { policy, warnings, moreWarnings, ...rest } = readPolicyFiles(files, source, nowSeconds);
  if (policy === null) throw new PolicyProblems({ ...rest, source });
  return { policy, warnings, moreWarnings, source };
}

/** A policy, the plain value that its files make together, and each file with its nodes; throws PolicyProblems. */
export function readFilesToEdit(
  files: readonly PolicyText[],
  source: string,
): {
  readonly policy: Policy;
  readonly value: Readonly<Record<string, unknown>>;
  readonly parts: readonly PolicyPart[];
} {
  const reading = new Reading(files, source);
  const result = reading.result(Date.now() / 1000);
  if (result.policy === null) throw new PolicyProblems(result);
  const parts = reading.parts.map(({ file, text, root }) => ({ file, text, root: root as Mapping }));
  return { policy: result.policy, value: reading.value, parts };
}

interface Part extends PolicyText, Document {
  readonly print: Printer;
}

/** What was found, and in which of the files. Null: in none, but in all of them together. */
type Found = readonly [Part | null, Placed];

class Reading {
  /** What all files say together. */
  readonly value: Record<string, unknown> = new Bare();
  #parts: readonly Part[] = [];
  /** Files that have a field, by field. */
  readonly #holders = new Map<string, Part[]>();
  /** For each field that is spread: who has a name. */
  readonly #owners = new Map<string, Map<string, Part>>();
  /** Who has something else where names should be. */
  readonly #misfits = new Map<string, Part>();
  readonly #found: Found[] = [];

  constructor(
    private readonly files: readonly PolicyText[],
    private readonly source: string,
  ) {}

  get parts(): readonly Part[] {
    return this.#parts;
  }

  result(nowSeconds: number): LoadResult {
    const excess = this.#excess();
    if (excess !== null) return this.#refused(unusable(this.source, excess).problems, 0, true);
    this.#parts = this.files.map(({ file, text }) => ({
      file,
      text,
      ...readDocument(text),
      print: new Printer(text, file),
    }));
    // what lacks a file means little: its names would be missed everywhere
    let isWhole = true;
    for (const part of this.#parts) if (!this.#take(part)) isWhole = false;
    const hasTextProblems = this.#found.length > 0;
    const judged: Judged = isWhole ? judge(this.value, nowSeconds) : { policy: null, remarks: [], isWhole: true };
    if (judged.policy === null || !hasTextProblems) for (const remark of judged.remarks) this.#place(remark);
    const [listed, more] = this.#listed();
    if (judged.policy === null || hasTextProblems) return this.#refused(listed, more, judged.isWhole);
    const { policy } = judged;
    const { source } = this;
    return { policy, problems: [], more: 0, isCounted: true, warnings: listed, moreWarnings: more, source };
  }

  #refused(problems: readonly Problem[], more: number, isCounted: boolean): LoadResult {
    const { source } = this;
    return { policy: null, problems: [...problems], more, isCounted, warnings: [], moreWarnings: 0, source };
  }

  #excess(): string | null {
    const bytes = this.files.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    if (bytes > MAX_POLICY_BYTES)
      return `must have at most ${MAX_POLICY_BYTES} bytes, all its files together; found ${bytes}`;
    return exceedTogether(this.files.map(({ text }) => text)) ? `${VALUES_RULE}, all its files together` : null;
  }

  /** Takes over what a file says; false when it cannot be part of a policy. */
  #take(part: Part): boolean {
    const { root, problems, text } = part;
    for (const problem of problems) this.#add(part, problem);
    for (const offset of leaksIn(text)) this.#add(part, { offset, path: [], rule: LEAK_RULE });
    if (root === null) return false;
    const begin = { offset: root.start, path: [] };
    if (root.kind !== 'mapping') {
      const isEmpty = root.kind === 'scalar' && root.value === null;
      const found = isEmpty ? undefined : shownAt(root.value, [], root.kind === 'scalar' ? root : undefined);
      const rule = isEmpty ? EMPTY_RULE : 'must be a mapping';
      this.#add(part, { ...begin, rule, ...(found !== undefined && { found }) });
      return false;
    }
    if (entryOf(root, 'policy') === undefined) {
      this.#add(part, { ...begin, rule: NO_POLICY_RULE });
      return false;
    }
    for (const entry of root.entries) if (entryOf(root, entry.key) === entry) this.#takeField(part, entry);
    return true;
  }

  #takeField(part: Part, entry: Entry): void {
    const { key, value: node } = entry;
    const [holder] = this.#holders.get(key) ?? [];
    if (key === 'policy' && holder !== undefined) return this.#compareName(part, entry, holder);
    if (SPREAD.has(key)) return this.#takeNames(part, entry);
    if (holder !== undefined) {
      const rule = 'must stand in one file only';
      return this.#add(part, { offset: entry.keyStart, path: [key], rule, twin: placeOf(holder, [key]) });
    }
    this.#holders.set(key, [part]);
    this.value[key] = node.value;
  }

  #compareName(part: Part, { keyStart: offset, value: node }: Entry, holder: Part): void {
    if (node.value === this.value['policy'] || part.aliases.has(node)) return;
    const name = this.value['policy'];
    const rule = `must be the same in all files${typeof name === 'string' ? `; the first says ${quote(name)}` : ''}`;
    const found = shownAt(node.value, ['policy'], node.kind === 'scalar' ? node : undefined);
    this.#add(part, { offset, path: ['policy'], rule, twin: placeOf(holder, ['policy']), ...(found && { found }) });
  }

  #takeNames(part: Part, { key, value: node }: Entry): void {
    if (this.#misfits.has(key)) return;
    const isNothing = node.kind === 'scalar' && node.value === null;
    if (node.kind !== 'mapping' && !isNothing) {
      this.#misfits.set(key, part);
      // as it is: then nothing is missed that should stand there
      this.value[key] = node.value;
      return;
    }
    this.#holders.set(key, [...(this.#holders.get(key) ?? []), part]);
    this.value[key] ??= isNothing ? null : new Bare();
    if (node.kind !== 'mapping') return;
    const all = this.value[key] as Record<string, unknown>;
    const owners = this.#owners.get(key) ?? new Map<string, Part>();
    this.#owners.set(key, owners);
    for (const { key: name, keyStart: offset, value } of node.entries) {
      const owner = owners.get(name);
      // a name that a file has twice is a problem of its own
      if (owner === part || name === '__proto__') continue;
      if (owner !== undefined) {
        const twin = placeOf(owner, [key, name]);
        this.#add(part, { offset, path: [key, name], rule: 'must be given once', twin });
        continue;
      }
      owners.set(name, part);
      all[name] = value.value;
    }
  }

  #add(part: Part | null, problem: Placed): void {
    this.#found.push([part, problem]);
  }

  /** A remark gets the file in which its path leads furthest. */
  #place(remark: Remark): void {
    const { path, rule, found, field, twin } = remark;
    const part = this.#partOf(field === undefined ? path : [...path, field]);
    const other = twin && this.#partOf(twin);
    const where = other === undefined || other === null ? undefined : twinPlace(part, other, twin!);
    if (part === null) return this.#add(null, { offset: 0, path, rule, twin: where, ...(found && { found }) });
    const spot = spotOf(part.root as Node, remark);
    // an alias has no value, and has been reported
    if (!part.aliases.has(spot.node)) this.#add(part, placed(remark, spot, where));
  }

  /** The one file that a path leads into; null where it is about several, or about none. */
  #partOf([field, name]: Path): Part | null {
    const misfit = this.#misfits.get(String(field));
    if (misfit !== undefined) return misfit;
    const holders = this.#holders.get(String(field)) ?? [];
    const owner = this.#owners.get(String(field))?.get(String(name));
    return owner ?? (holders.length === 1 || field === 'policy' ? holders[0]! : null);
  }

  /** The first in the order of the files, ready to print, and how many there are beyond them. */
  #listed(): [Problem[], number] {
    const order = new Map<Part | null, number>([[null, -1], ...this.#parts.map((part, at) => [part, at] as const)]);
    const all = this.#found.sort(
      ([a, { offset }], [b, other]) => order.get(a)! - order.get(b)! || offset - other.offset,
    );
    const first = all.slice(0, MAX_LISTED).map(([part, problem]) => this.#printed(part, problem));
    return [first, all.length - first.length];
  }

  #printed(part: Part | null, problem: Placed): Problem {
    if (part !== null) return part.print.problem(problem);
    return { ...new Printer('', this.source).problem(problem), line: 0, column: 0, path: printPath(problem.path) };
  }
}

function spotIn({ root }: Part, path: Path): NodePlace {
  return spotOf(root as Node, { path });
}

function placeOf(part: Part, path: Path): string {
  return part.print.placeAt(spotIn(part, path));
}

function twinPlace(part: Part | null, other: Part, path: Path): string {
  return part === other ? other.print.lineAt(spotIn(other, path)) : placeOf(other, path);
}
