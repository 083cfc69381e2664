import type { z } from 'zod';
import type { policySchema } from '../schema/policy.ts';
import { LEAK_RULE, leaksIn, printPath, quote, shownAt, type Path } from '../secret.ts';

/** A policy as it is written: defaults may be missing, short forms stand for long ones. */
export type WrittenPolicy = z.input<typeof policySchema>;

/** Fields of the object that a type may be; of a mapping from names none, because `named` asks for those. */
type FieldOf<T> = T extends readonly unknown[]
  ? never
  : T extends object
    ? string extends keyof T
      ? never
      : keyof T & string
    : never;
type UnderField<T, F extends string> = T extends readonly unknown[] ? never : F extends keyof T ? T[F] : never;
type UnderName<T> = T extends readonly unknown[]
  ? never
  : T extends object
    ? string extends keyof T
      ? T[string & keyof T]
      : never
    : never;
type EntryOf<T> = T extends readonly unknown[] ? never : T extends object ? T[keyof T] : never;
type ItemOf<T> = T extends readonly (infer Item)[] ? Item : never;

type Api = EntryOf<WrittenPolicy['apis']>;
type Plan = EntryOf<WrittenPolicy['plans']>;
type Consumer = EntryOf<WrittenPolicy['consumers']>;
export type ApiDraft = Draft<Api>;
export type PolicyDraft = Draft<WrittenPolicy>;
export type OperationDraft = Draft<EntryOf<UnderField<Api, 'operations'>>>;
export type RouteDraft = Draft<ItemOf<UnderField<Api, 'routes'>>>;
export type ConditionDraft = Draft<EntryOf<UnderField<ItemOf<UnderField<Api, 'routes'>>['when'], 'headers'>>>;
export type QuotaDraft = Draft<EntryOf<UnderField<Plan, 'quotas'>>>;
export type ConsumerDraft = Draft<Consumer>;
export type SubscriptionDraft = Draft<EntryOf<UnderField<Consumer, 'subscriptions'>>>;
export type KeyDraft = Draft<ItemOf<UnderField<Consumer, 'keys'>>>;
export type TargetDraft = Draft<ItemOf<WrittenPolicy['targets']>>;
export type DestinationDraft = Draft<ItemOf<UnderField<EntryOf<WrittenPolicy['upstreams']>, 'services'>>>;
export type UpstreamDraft = Draft<EntryOf<WrittenPolicy['upstreams']>>;

/** A place in a plain value that may or may not hold what it should. */
export class Place {
  constructor(
    /** What stands there; undefined: nothing. */
    readonly value: unknown,
    private readonly outer: Place | null,
    private readonly segment: string | number,
  ) {}

  get path(): Path {
    return this.outer === null ? [] : [...this.outer.path, this.segment];
  }

  /** The name under which this place stands in its mapping. */
  get key(): string {
    return String(this.segment);
  }

  /** True where a value stands, of whatever kind. */
  get given(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  get isMapping(): boolean {
    return typeof this.value === 'object' && this.value !== null && !Array.isArray(this.value);
  }

  get string(): string | undefined {
    return typeof this.value === 'string' ? this.value : undefined;
  }

  get number(): number | undefined {
    return typeof this.value === 'number' ? this.value : undefined;
  }

  get isTrue(): boolean {
    return this.value === true;
  }

  /** The strings of a list, without whatever else is in it. */
  get strings(): string[] {
    return Array.isArray(this.value) ? this.value.filter((item) => typeof item === 'string') : [];
  }
}

/**
 * A place of which the schema says what should stand there: `T`. The checks walk over drafts instead of over the parsed
 * policy, so that a mistake in one corner hides none in another: what is missing or of the wrong kind reads as nothing. A
 * field that the schema does not have does not compile.
 */
export class Draft<T> extends Place {
  /** The draft of a whole policy: plain values, as JSON holds them. */
  static of(value: unknown): Draft<WrittenPolicy> {
    return new Draft(value, null, '');
  }

  /** What a field of an object holds. */
  get<F extends FieldOf<T>>(field: F): Draft<UnderField<T, F>> {
    return new Draft(this.member(field), this, field);
  }

  /** What a mapping holds under a name of the policy's. */
  named(name: string): Draft<UnderName<T>> {
    return new Draft(this.member(name), this, name);
  }

  /** Everything that a mapping or an object holds. */
  get entries(): Draft<EntryOf<T>>[] {
    if (!this.isMapping) return [];
    return Object.entries(this.value as object).map(([name, value]) => new Draft(value, this, name));
  }

  get items(): Draft<ItemOf<T>>[] {
    if (!Array.isArray(this.value)) return [];
    return this.value.map((item: unknown, index) => new Draft(item, this, index));
  }

  /** One of the items, without making all. */
  item(index: number): Draft<ItemOf<T>> {
    return new Draft(Array.isArray(this.value) ? (this.value[index] as unknown) : undefined, this, index);
  }

  private member(name: string): unknown {
    if (!this.isMapping) return undefined;
    const fields = this.value as Record<string, unknown>;
    return Object.hasOwn(fields, name) ? fields[name] : undefined;
  }
}

/** What a check found, with its place in the value; the reader of a file adds the line. */
export interface Remark {
  readonly path: Path;
  readonly rule: string;
  readonly severity: 'error' | 'warning';
  /** What stands there, ready to print. */
  readonly found?: string | undefined;
  /** True: `found` is the value at the path. */
  readonly showsValue?: boolean;
  /** The field below the path that it is about, where that is missing or not known. */
  readonly field?: string;
  /** The other place that together with this one breaks the rule. */
  readonly twin?: Path;
}

/** Collects what the checks find. */
export class Report {
  readonly remarks: Remark[] = [];

  constructor(private readonly severity: Remark['severity']) {}

  /** `found` is a string to quote, or a number; without it the value at the place is shown, where that is safe; null shows nothing. */
  add(at: Place, rule: string, found?: string | number | null): void {
    this.remarks.push({ ...this.remark(at, rule, found) });
  }

  /** A rule that this place breaks together with another one. */
  twice(at: Place, rule: string, other: Place, found?: string | null): void {
    this.remarks.push({ ...this.remark(at, rule, found), twin: other.path });
  }

  private remark(at: Place, rule: string, found: string | number | null | undefined): Remark {
    const { path } = at;
    const common = { path, rule, severity: this.severity };
    if (found === null) return common;
    if (found !== undefined) return { ...common, found: typeof found === 'number' ? String(found) : quote(found) };
    return at.value === undefined ? common : { ...common, found: shownAt(at.value, path), showsValue: true };
  }
}

/** A rule and where its twin stands: on a line, or at a path. */
export function withTwin(rule: string, place: string): string {
  return rule.includes(';') ? `${rule} (${place.replace(/^(?:on|at) /, '')})` : `${rule}; it stands ${place} already`;
}

export function pathOfTwin(path: Path): string {
  return `at ${printPath(path)}`;
}

/** Names that a reference may be one of. */
export class Names {
  readonly #names: ReadonlySet<string>;
  #hint: string | null = null;

  constructor(names: Iterable<string>) {
    this.#names = new Set(names);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  get size(): number {
    return this.#names.size;
  }

  /** ` (a, b, c)`: what a reference could have named, as long as that is short. */
  get hint(): string {
    this.#hint ??= hintOf([...this.#names]);
    return this.#hint;
  }
}

const MAX_HINTED = 8;
const MAX_HINT_CHARACTERS = 200;

function hintOf(names: readonly string[]): string {
  if (names.length === 0) return '; there is none';
  const text = names.length > MAX_HINTED ? '' : names.join(', ');
  return text === '' || text.length > MAX_HINT_CHARACTERS ? '' : ` (${text})`;
}

/** Deepest nesting of a policy; a real one goes to 10. */
export const MAX_DEPTH = 24;
/** Longer than any name that means something: a Kubernetes label has 317 characters. */
export const MAX_FIELD_CHARACTERS = 512;
/** Twice the size of a policy with 100,000 consumers; anything larger is refused before it is parsed. */
export const MAX_POLICY_BYTES = 32 * 1024 * 1024;
/** Values need far more memory than their characters. */
export const MAX_VALUES = 4 * 1024 * 1024;
/** After so many remarks about what is not a plain value, the rest is not looked at. */
const MAX_REMARKS = 100;

export const DEPTH_RULE = `must not nest deeper than ${MAX_DEPTH} levels`;
export const FIELD_LENGTH_RULE = `must have field names of at most ${MAX_FIELD_CHARACTERS} characters`;
export const PROTO_REMARK = { rule: 'must have no field of this name', found: '"__proto__"' } as const;
const PLAIN_RULE =
  'must be a plain value, as JSON has it: null, true or false, a number, a string, a list or a mapping';
export const VALUES_RULE = `must have at most ${MAX_VALUES} values`;
const SIZE_RULE = `must have at most ${MAX_POLICY_BYTES} characters, all names and values together`;

/** A value as JSON could hold it, and what could not be taken over. */
export interface PlainCopy {
  readonly value: unknown;
  readonly remarks: readonly Remark[];
  /** False where copying ended early: what was copied by then means nothing. */
  readonly isWhole: boolean;
}

/**
 * A copy of a value that is nothing but data: whatever traps, getters, cycles, holes or prototypes the value has are met here
 * once, and nowhere after. Mappings of the copy have no prototype, so that no name means anything to JavaScript.
 */
export function plainCopy(value: unknown): PlainCopy {
  const copier = new Copier();
  try {
    return { value: copier.copy(value, [], 0), remarks: copier.remarks, isWhole: true };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { value: null, remarks: copier.remarks, isWhole: false };
  }
}

/** Nothing more is worth looking at. */
class Stop extends Error {}

class Copier {
  readonly remarks: Remark[] = [];
  #characters = 0;
  #values = 0;

  copy(value: unknown, path: Path, depth: number): unknown {
    this.#count(1, path);
    switch (typeof value) {
      case 'string':
        this.#spend(value.length, path);
        if (leaksIn(value).length > 0) this.#remark(path, LEAK_RULE);
        return value;
      case 'boolean':
      case 'number':
        return value;
      case 'undefined':
        return null;
      case 'object':
        return value === null ? null : this.#attempt(value, path, depth);
      default:
        return this.#refuse(path, `a ${typeof value}`);
    }
  }

  /** A proxy may throw at every touch. */
  #attempt(value: object, path: Path, depth: number): unknown {
    try {
      return this.#collection(value, path, depth);
    } catch (error) {
      if (error instanceof Stop) throw error;
      return this.#refuse(path, 'an object that cannot be read');
    }
  }

  #collection(value: object, path: Path, depth: number): unknown {
    if (depth === MAX_DEPTH) return this.#stop(path, DEPTH_RULE);
    if (Array.isArray(value)) return this.#list(value, path, depth);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
      return this.#refuse(path, 'an object of a class');
    return this.#mapping(value, path, depth);
  }

  #list(value: readonly unknown[], path: Path, depth: number): unknown[] {
    const { length } = value;
    this.#count(length, path);
    return Array.from({ length }, (_, index) => this.#member(value, index, [...path, index], depth) ?? null);
  }

  #mapping(value: object, path: Path, depth: number): unknown {
    const copy: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    for (const name of Object.keys(value)) {
      this.#spend(name.length, path);
      if (name.length > MAX_FIELD_CHARACTERS) return this.#stop(path, FIELD_LENGTH_RULE);
      if (leaksIn(name).length > 0) this.#remark(path, LEAK_RULE);
      if (name === '__proto__') {
        this.#remark(path, PROTO_REMARK.rule, PROTO_REMARK.found);
        continue;
      }
      const member = this.#member(value, name, [...path, name], depth);
      if (member !== undefined) copy[name] = member;
    }
    return copy;
  }

  /** What stands under a name or an index; undefined as in JSON: nothing. A getter is not asked. */
  #member(value: object, name: string | number, path: Path, depth: number): unknown {
    const descriptor = Object.getOwnPropertyDescriptor(value, name);
    if (descriptor !== undefined && !('value' in descriptor)) return this.#refuse(path, 'a getter');
    const member: unknown = descriptor?.value;
    return member === undefined ? undefined : this.copy(member, path, depth + 1);
  }

  #count(values: number, path: Path): void {
    this.#values += values;
    if (this.#values > MAX_VALUES) this.#stop(path.slice(0, 1), VALUES_RULE);
  }

  #spend(characters: number, path: Path): void {
    this.#characters += characters;
    if (this.#characters > MAX_POLICY_BYTES) this.#stop(path.slice(0, 1), SIZE_RULE);
  }

  #refuse(path: Path, found: string): null {
    this.#remark(path, PLAIN_RULE, found);
    return null;
  }

  #remark(path: Path, rule: string, found?: string): void {
    this.remarks.push({ path, rule, severity: 'error', ...(found !== undefined && { found }) });
    if (this.remarks.length >= MAX_REMARKS) throw new Stop();
  }

  #stop(path: Path, rule: string): never {
    this.remarks.push({ path, rule, severity: 'error' });
    throw new Stop();
  }
}
