/** Reads a wasm module's bytes, from the front. */
export class WasmReader {
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {}

  get atEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    return this.bytes[this.at++] ?? 0;
  }

  leb(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  text(): string {
    const length = this.leb();
    this.at += length;
    return Buffer.from(this.bytes.subarray(this.at - length, this.at)).toString();
  }

  list<T>(item: () => T): T[] {
    return Array.from({ length: this.leb() }, item);
  }
}
