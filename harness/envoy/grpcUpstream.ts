import {
  connect,
  createSecureServer,
  createServer,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Leaf } from './authority.ts';

/*
 * A gRPC service and a client of it (grpc.io, "gRPC over HTTP2"): messages of bytes, each behind a flag and a length of four bytes; the
 * status comes in trailers.
 */

const PREFIX_BYTES = 5;

function framed(message: string): Buffer {
  const bytes = Buffer.from(message);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** Calls back with each message that has come whole. */
function eachMessage(take: (message: string) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= PREFIX_BYTES && rest.length >= PREFIX_BYTES + rest.readUInt32BE(1)) {
      const end = PREFIX_BYTES + rest.readUInt32BE(1);
      take(rest.subarray(PREFIX_BYTES, end).toString());
      rest = rest.subarray(end);
    }
  };
}

export interface GrpcUpstream {
  readonly port: number;
  /** Headers of the calls that came. */
  readonly calls: IncomingHttpHeaders[];
  close(): Promise<void>;
}

/**
 * Answers every message with `echo: MESSAGE` as soon as it comes, and ends with status 0 when the client has ended; a message `fail`
 * ends the call with status 9. With a certificate over TLS, where HTTP/1.1 is spoken too, and answered with `http/1.1`.
 */
export async function startGrpcUpstream(leaf?: Leaf): Promise<GrpcUpstream> {
  const calls: IncomingHttpHeaders[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server = leaf === undefined ? createServer() : createSecureServer({ ...leaf, allowHTTP1: true });
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session)).on('error', () => undefined);
  });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    calls.push(headers);
    answer(stream);
  });
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(0, '127.0.0.1', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      sessions.forEach((session) => session.destroy());
    });
  return { port: (server.address() as AddressInfo).port, calls, close };
}

function answer(stream: ServerHttp2Stream): void {
  let status = '0';
  stream.on('error', () => undefined);
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
  stream.on(
    'data',
    eachMessage((message) => {
      if (message !== 'fail') return void stream.write(framed(`echo: ${message}`));
      status = '9';
      stream.end();
    }),
  );
  stream.on('end', () => stream.end());
}

export interface GrpcAnswer {
  readonly messages: readonly string[];
  /** Null: the stream was reset, or ended without one. */
  readonly status: number | null;
  readonly text: string;
}

/** A client of a proxy on loopback. */
export class GrpcClient {
  private readonly session: ClientHttp2Session;

  constructor(port: number) {
    this.session = connect(`http://127.0.0.1:${port}`);
    this.session.on('error', () => undefined);
  }

  /** Sends the messages one after the other, each once the one before has been answered. */
  call(path: string, metadata: Readonly<Record<string, string>>, ...messages: string[]): Promise<GrpcAnswer> {
    const stream = this.session.request({
      ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
      ...metadata,
    });
    const received: string[] = [];
    let end: IncomingHttpHeaders = {};
    const note = (headers: IncomingHttpHeaders): void => {
      if (headers['grpc-status'] !== undefined) end = headers;
    };
    let sent = 0;
    const next = (): void => {
      if (sent === messages.length) stream.end();
      else stream.write(framed(messages[sent++]!));
    };
    return new Promise((resolve) => {
      stream.on('response', note).on('trailers', note);
      stream.on('error', () => undefined);
      stream.on(
        'data',
        eachMessage((message) => {
          received.push(message);
          next();
        }),
      );
      stream.on('close', () =>
        resolve({
          messages: received,
          status: end['grpc-status'] === undefined ? null : Number(end['grpc-status']),
          text: decodeURIComponent(String(end['grpc-message'] ?? '')),
        }),
      );
      next();
    });
  }

  close(): void {
    this.session.destroy();
  }
}
