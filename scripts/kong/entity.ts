import { type Losses, type Pointer, quoted } from '../openapi/loss.ts';
import { isPlainFields, member, type PlainFields } from '../openapi/spot.ts';

/** Something of Kong's that stands somewhere in a document. */
export interface Entity {
  readonly pointer: Pointer;
  readonly fields: PlainFields;
}

/** What a reading of a document has found out that a policy cannot say. */
export class KongReading {
  constructor(
    readonly file: string,
    readonly losses: Losses,
    /** Differences that change no decision. */
    readonly notes: Losses,
  ) {}

  lose(pointer: Pointer, rule: string): void {
    this.losses.add(this.file, pointer, rule);
  }

  note(pointer: Pointer, rule: string): void {
    this.notes.add(this.file, pointer, rule);
  }

  /** The mappings of a list that stands in a field. */
  entities(of: Entity, field: string): Entity[] {
    const pointer = [...of.pointer, field];
    return this.list(member(of.fields, field), pointer).flatMap((item, index) => {
      if (isPlainFields(item)) return [{ pointer: [...pointer, index], fields: item }];
      this.lose([...pointer, index], `must be a mapping; found ${kindOf(item)}`);
      return [];
    });
  }

  /** The strings of a list that stands in a field; null where there is none. What is lost of a list may not open what the rest closes. */
  strings(of: Entity, field: string): string[] | null {
    const value = member(of.fields, field);
    if (value === undefined || value === null) return null;
    const pointer = [...of.pointer, field];
    return this.list(value, pointer).flatMap((item, index) => {
      if (typeof item === 'string') return [item];
      this.lose([...pointer, index], `must be a string; found ${kindOf(item)}`);
      return [];
    });
  }

  /** A string that stands in a field. */
  string(of: Entity, field: string): string | undefined {
    const value = member(of.fields, field);
    if (typeof value === 'string') return value === '' ? undefined : value;
    if (value !== undefined && value !== null)
      this.lose([...of.pointer, field], `must be a string; found ${kindOf(value)}`);
    return undefined;
  }

  number(of: Entity, field: string): number | undefined {
    const value = member(of.fields, field);
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    if (value !== undefined && value !== null)
      this.lose([...of.pointer, field], `must be a number; found ${kindOf(value)}`);
    return undefined;
  }

  flag(of: Entity, field: string, usual: boolean): boolean {
    const value = member(of.fields, field);
    if (typeof value === 'boolean') return value;
    if (value !== undefined && value !== null)
      this.lose([...of.pointer, field], `must be true or false; found ${kindOf(value)}`);
    return usual;
  }

  /** A mapping that stands in a field, empty where there is none. */
  mapping(of: Entity, field: string): Entity {
    const value = member(of.fields, field);
    const pointer = [...of.pointer, field];
    if (isPlainFields(value)) return { pointer, fields: value };
    if (value !== undefined && value !== null) this.lose(pointer, `must be a mapping; found ${kindOf(value)}`);
    return { pointer, fields: {} };
  }

  list(value: unknown, pointer: Pointer): readonly unknown[] {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value;
    this.lose(pointer, `must be a list; found ${kindOf(value)}`);
    return [];
  }
}

/** Never the value: any of them may be a key or a password. */
export function kindOf(value: unknown): string {
  return typeof value === 'string' ? 'a string' : typeof value === 'number' ? 'a number' : quoted(value);
}

/** True for what decK or a vault fills in when the document is used: nobody knows here what it will be. */
export function isFilledInLater(text: string): boolean {
  return /^\{vault:\/\/.*\}$/s.test(text) || text.includes('${{');
}

export const LATER_RULE = 'is filled in from a vault or the environment when Kong gets it';

/** A name for a policy made of one that people chose; null where nothing of it is left. */
export function nameMadeOf(text: string | undefined): string | null {
  const name = (text ?? '')
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 48)
    .replace(/-+$/, '');
  return name === '' ? null : name;
}

/** Gives each thing a name of its own. */
export class NameGiver {
  readonly #taken = new Set<string>();

  /** `reserved`: names that nothing gets. */
  constructor(reserved: readonly string[] = []) {
    for (const name of reserved) this.#taken.add(name);
  }

  give(wanted: string): string {
    for (let number = 1; ; number++) {
      const name = number === 1 ? wanted : `${wanted}-${number}`;
      if (this.#taken.has(name)) continue;
      this.#taken.add(name);
      return name;
    }
  }
}
