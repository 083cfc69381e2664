import { LEAK_RULE, leaksIn, type Path } from '../secret.ts';
import type { Remark } from './draft.ts';

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
