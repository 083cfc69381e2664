import type { IncomingMessage } from 'node:http';
import { Refusal } from '../cli/command.ts';
import { failure } from './wireError.ts';

const MAX_DISCARDED_BYTES = 64 * 1024;
const DISCARD_MS = 1000;

/** An answer whose head has come. Its body is read with a limit: what comes from outside has no say in how much memory it takes. */
export class Answer {
  constructor(
    readonly url: URL,
    private readonly message: IncomingMessage,
  ) {
    // a body that breaks off while nobody reads it is nobody's error
    message.on('error', () => undefined);
  }

  get status(): number {
    return this.message.statusCode ?? 0;
  }

  /** Null when it is not there; several of one name are joined as HTTP says. */
  header(name: string): string | null {
    const value = this.message.headers[name];
    return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value;
  }

  /** The first `limit` bytes. */
  async readSome(limit: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let length = 0;
    try {
      for await (const part of this.message) {
        parts.push(part as Buffer);
        length += (part as Buffer).length;
        if (length > limit) break;
      }
    } catch (error) {
      throw failure(error, this.url);
    }
    return Buffer.concat(parts).subarray(0, limit);
  }

  /** Everything, as it was sent; more than `limit` bytes are refused, and so is what was compressed unasked. */
  async readAll(limit: number): Promise<Buffer> {
    const encoding = this.header('content-encoding') ?? 'identity';
    if (encoding.toLowerCase() !== 'identity') {
      await this.discard();
      throw new Refusal(`${this.url.host}: sends a compressed answer that nobody asked for`);
    }
    const bytes = await this.readSome(limit + 1);
    if (bytes.length > limit)
      throw new Refusal(`${this.url.host}: sends more than the ${limit} bytes that such an answer may have`);
    return bytes;
  }

  /** Lets go of the body: a short one is read, so that the connection can serve the next request; any other breaks the connection. */
  async discard(): Promise<void> {
    const late = setTimeout(() => this.message.destroy(), DISCARD_MS);
    await this.readSome(MAX_DISCARDED_BYTES).catch(() => undefined);
    clearTimeout(late);
  }
}
