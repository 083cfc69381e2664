import { entryOf, isNull, type Node } from '../yaml/node.ts';
import type { Path } from './path.ts';

/**
 * A place in the policy's YAML that may or may not hold what it should. The checks walk over it instead of over the parsed
 * policy, so that a mistake in one corner hides none in another: what is missing or of the wrong kind reads as nothing.
 */
export class Cursor {
  constructor(
    readonly node: Node | undefined,
    readonly path: Path,
    /** Where a problem of this place points to: the field's name, or the list's item. */
    readonly offset: number,
  ) {}

  get(key: string): Cursor {
    const entry = entryOf(this.node, key);
    return new Cursor(entry?.value, [...this.path, key], entry?.keyStart ?? this.offset);
  }

  /** True where a value stands, of whatever kind. */
  get given(): boolean {
    return this.node !== undefined && !isNull(this.node);
  }

  /** The last segment: the name under which this place stands in its mapping. */
  get key(): string {
    return String(this.path.at(-1) ?? '');
  }

  get text(): string | undefined {
    return this.node?.kind === 'scalar' && typeof this.node.value === 'string' ? this.node.value : undefined;
  }

  get number(): number | undefined {
    return this.node?.kind === 'scalar' && typeof this.node.value === 'number' ? this.node.value : undefined;
  }

  get isTrue(): boolean {
    return this.node?.kind === 'scalar' && this.node.value === true;
  }

  get entries(): Cursor[] {
    if (this.node?.kind !== 'mapping') return [];
    return this.node.entries.map(({ key, keyStart, value }) => new Cursor(value, [...this.path, key], keyStart));
  }

  get items(): Cursor[] {
    if (this.node?.kind !== 'list') return [];
    return this.node.items.map((node, index) => new Cursor(node, [...this.path, index], node.start));
  }

  /** The texts of a list, without whatever else is in it. */
  get texts(): string[] {
    return this.items.flatMap((item) => (item.text === undefined ? [] : [item.text]));
  }
}
