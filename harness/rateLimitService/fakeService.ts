import { createServer, constants, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { RateLimitServiceModel, type Rule } from './rateLimitServiceModel.ts';
import { decodeAsk, encodeAnswer, METHOD, SERVICE, type AnswerMessage, type AskMessage } from './protocol.ts';

/**
 * What the service does instead of answering correctly. `answer` changes the model's answer before it is sent; `bytes` is sent as
 * the message; `mutate` changes the bytes of a good message; `frame` is sent as the whole body, length prefix included.
 */
export type Fault =
  | { readonly kind: 'hang' | 'reset' | 'noMessage' }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'httpStatus'; readonly status: number }
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'frame'; readonly bytes: Buffer }
  | { readonly kind: 'mutate'; readonly mutate: (good: Buffer) => Buffer }
  | { readonly kind: 'answer'; readonly change: (answer: AnswerMessage) => AnswerMessage };

export interface SeenCall {
  readonly atMs: number;
  readonly ask: AskMessage;
}

const PATH = `/${SERVICE}/${METHOD}`;

/** A rate limit service that can misbehave: gRPC over cleartext HTTP/2 on loopback, with the model's counters. */
export class FakeService {
  fault: Fault | null = null;
  delayMs = 0;
  connections = 0;
  readonly calls: SeenCall[] = [];
  readonly model: RateLimitServiceModel;
  private server: Http2Server | null = null;
  private readonly sessions = new Set<ServerHttp2Session>();
  private chosenPort = 0;

  private constructor(domain: string, rules: readonly Rule[]) {
    this.model = new RateLimitServiceModel(domain, rules);
  }

  static async start(domain: string, rules: readonly Rule[]): Promise<FakeService> {
    const service = new FakeService(domain, rules);
    await service.listen();
    return service;
  }

  get port(): number {
    return this.chosenPort;
  }

  /** Listens again on the same port; until then, connections are refused. */
  async listen(): Promise<void> {
    const server = createServer();
    server.on('session', (session) => {
      this.connections++;
      this.sessions.add(session);
      session.on('close', () => this.sessions.delete(session)).on('error', () => undefined);
    });
    server.on('stream', (stream, headers) => this.take(stream, String(headers[':path'])));
    await new Promise<void>((resolve, reject) =>
      server.on('error', reject).listen(this.chosenPort, '127.0.0.1', resolve),
    );
    this.chosenPort = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** Ends every connection and refuses new ones. */
  async stop(): Promise<void> {
    const { server } = this;
    this.server = null;
    const closed = new Promise((resolve) => (server === null ? resolve(null) : server.close(resolve)));
    for (const session of this.sessions) session.destroy();
    await closed;
  }

  /** Breaks every connection, in the middle of calls too, and goes on listening. */
  cut(): void {
    for (const session of this.sessions) session.destroy();
  }

  private take(stream: ServerHttp2Stream, path: string): void {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const body = Buffer.concat(chunks);
      if (path !== PATH) return fail(stream, 12);
      const ask = decodeAsk(body.subarray(5));
      const { fault } = this;
      this.calls.push({ atMs: Date.now(), ask });
      const answer = this.model.ask(ask, Date.now());
      setTimeout(() => respond(stream, answer, fault), this.delayMs);
    });
  }
}

function respond(stream: ServerHttp2Stream, answer: AnswerMessage, fault: Fault | null): void {
  if (stream.destroyed || stream.closed) return;
  switch (fault?.kind) {
    case 'hang':
      return;
    case 'reset':
      return stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    case 'status':
      return fail(stream, fault.status);
    case 'httpStatus':
      return stream.respond({ ':status': fault.status }, { endStream: true });
    case 'noMessage':
      return send(stream, Buffer.alloc(0));
    case 'frame':
      return send(stream, fault.bytes);
    case 'bytes':
      return send(stream, framed(fault.bytes));
    case 'mutate':
      return send(stream, framed(fault.mutate(encodeAnswer(answer))));
    case 'answer':
      return send(stream, framed(encodeAnswer(fault.change(answer))));
    case undefined:
      return send(stream, framed(encodeAnswer(answer)));
  }
}

/** u8 compressed · u32 length, big endian · message */
function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function send(stream: ServerHttp2Stream, body: Buffer): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(body);
}

function fail(stream: ServerHttp2Stream, status: number): void {
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(status) },
    { endStream: true },
  );
}
