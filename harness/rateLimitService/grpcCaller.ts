import { connect, type ClientHttp2Session } from 'node:http2';
import { METHOD, SERVICE } from './protocol.ts';

/** A client for rate limit services, to test those of this suite without an Envoy. */
export class GrpcCaller {
  private session: ClientHttp2Session | null = null;

  constructor(private readonly port: number) {}

  /** The answer's message, or the gRPC status when there is none. */
  call(message: Buffer, timeoutMs = 10_000): Promise<Buffer | number> {
    return new Promise((resolve) => {
      const stream = this.connected().request({
        ':method': 'POST',
        ':path': `/${SERVICE}/${METHOD}`,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      const chunks: Buffer[] = [];
      let status = 14;
      const note = (headers: Record<string, unknown>): void => {
        if (headers['grpc-status'] !== undefined) status = Number(headers['grpc-status']);
      };
      stream.setTimeout(timeoutMs, () => stream.close());
      stream
        .on('response', note)
        .on('trailers', note)
        .on('error', () => undefined);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('close', () => resolve(status === 0 ? Buffer.concat(chunks).subarray(5) : status));
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([prefix, message]));
    });
  }

  close(): void {
    this.session?.destroy();
  }

  /** Reconnects when the connection is broken. */
  private connected(): ClientHttp2Session {
    if (this.session === null || this.session.destroyed || this.session.closed) {
      this.session = connect(`http://127.0.0.1:${this.port}`);
      this.session.on('error', () => undefined);
    }
    return this.session;
  }
}
