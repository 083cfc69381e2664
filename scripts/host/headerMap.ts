import type { Pair } from './pairs.ts';

/** An ordered list of headers with duplicates; names are lower case, as Envoy's are. */
export class HeaderMap {
  readonly pairs: Pair[];

  constructor(pairs: readonly Pair[] = []) {
    this.pairs = pairs.map(([name, value]) => [name.toLowerCase(), value]);
  }

  /** The first value only: what Envoy's `get_header_map_value` answers, and why duplicates hide from it. */
  first(name: string): string | undefined {
    const lower = name.toLowerCase();
    return this.pairs.find((pair) => pair[0] === lower)?.[1];
  }

  all(name: string): string[] {
    const lower = name.toLowerCase();
    return this.pairs.filter((pair) => pair[0] === lower).map((pair) => pair[1]);
  }

  add(name: string, value: string): void {
    this.pairs.push([name.toLowerCase(), value]);
  }

  remove(name: string): void {
    const lower = name.toLowerCase();
    for (let i = this.pairs.length - 1; i >= 0; i--) if (this.pairs[i]![0] === lower) this.pairs.splice(i, 1);
  }

  replace(name: string, value: string): void {
    this.remove(name);
    this.add(name, value);
  }

  replaceAll(pairs: readonly Pair[]): void {
    this.pairs.length = 0;
    for (const [name, value] of pairs) this.add(name, value);
  }

  /** Names and values without separators: what `get_header_map_size` answers. */
  byteSize(): number {
    return this.pairs.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  }
}
