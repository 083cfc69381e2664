import type { z } from 'zod';
import type { policySchema } from '../schema/policy.ts';
import { printPath, quote, shownAt, type Path } from '../secret.ts';

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
export type ConditionDraft = Draft<EntryOf<UnderField<ItemOf<UnderField<Api, 'routes'>>['when'], 'headers' | 'query'>>>;
/** A quota of an operation's own. */
export type OwnQuotaDraft = Draft<EntryOf<UnderField<EntryOf<UnderField<Api, 'operations'>>, 'quotas'>>>;
export type CostDraft = Draft<UnderField<Api, 'cost'>>;
export type PlanDraft = Draft<Plan>;
export type QuotaDraft = Draft<EntryOf<UnderField<Plan, 'quotas'>>>;
export type CalendarDraft = Draft<UnderField<Plan, 'calendar'>>;
export type ConsumerDraft = Draft<Consumer>;
export type SubscriptionDraft = Draft<EntryOf<UnderField<Consumer, 'subscriptions'>>>;
export type OwnLimitDraft = Draft<
  EntryOf<NonNullable<UnderField<EntryOf<UnderField<Consumer, 'subscriptions'>>, 'limits'>>>
>;
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
