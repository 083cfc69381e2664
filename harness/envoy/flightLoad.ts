import { createServer, type Server } from 'node:http';
import { connect as connectHttp2, constants, type ClientHttp2Session } from 'node:http2';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Random } from '../random.ts';

const MARK = 'x-flight';
/** Answers come after a moment of this length at most. */
const MOST_MS = 12;

/**
 * An upstream that answers late, and knows who is in flight: requests that have come to it and that their clients have not given up yet. Each
 * of them is one that the module counts, so there can be no more of them than it allows.
 */
export class FlightUpstream {
  /** Of each key, the marks of its requests. */
  private readonly inFlight = new Map<string, Set<string>>();
  private readonly ended = new Set<string>();
  private readonly most = new Map<string, number>();
  private marks = 0;
  private readonly sockets = new Set<Duplex>();
  /** While true, requests stay until it is false. */
  holds = false;
  private readonly held: (() => void)[] = [];

  private constructor(private readonly server: Server) {}

  static async start(random: Random): Promise<FlightUpstream> {
    // it closes no idle connection, which Envoy would answer with a 503 of its own now and then
    const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 });
    const upstream = new FlightUpstream(server);
    server.on('request', (request, response) => {
      const mark = String(request.headers[MARK] ?? '');
      upstream.arrive(mark);
      const answer = (): void => {
        // before Envoy can know
        upstream.leave(mark);
        response.end();
      };
      if (upstream.holds) upstream.held.push(answer);
      else setTimeout(answer, random.below(MOST_MS));
    });
    server.on('upgrade', (_request, socket) => {
      socket.on('error', () => socket.destroy());
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
      upstream.sockets.add(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return upstream;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** A mark for one request of a key. */
  mark(key: string): string {
    return `${++this.marks}-${key}`;
  }

  /** To be called before a client gives a request up. */
  leave(mark: string): void {
    if (!this.inFlight.get(keyOf(mark))?.delete(mark)) this.ended.add(mark);
  }

  /** The most requests of a key that were in flight at once. */
  mostOf(key: string): number {
    return this.most.get(key) ?? 0;
  }

  nowOf(key: string): number {
    return this.inFlight.get(key)?.size ?? 0;
  }

  /** True while the request with this mark is in flight. */
  has(mark: string): boolean {
    return this.inFlight.get(keyOf(mark))?.has(mark) === true;
  }

  release(): void {
    this.holds = false;
    for (const answer of this.held.splice(0)) answer();
  }

  async close(): Promise<void> {
    this.release();
    for (const socket of this.sockets) socket.destroy();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private arrive(mark: string): void {
    if (this.ended.delete(mark)) return;
    const key = keyOf(mark);
    const own = this.inFlight.get(key) ?? new Set();
    this.inFlight.set(key, own.add(mark));
    this.most.set(key, Math.max(this.mostOf(key), own.size));
  }
}

function keyOf(mark: string): string {
  return mark.slice(mark.indexOf('-') + 1);
}

export interface FlightLoad {
  readonly port: number;
  readonly upstream: FlightUpstream;
  readonly random: Random;
  readonly keys: readonly string[];
  /** Streams at once on each of the connections. */
  readonly streams: number;
  readonly connections: number;
  /** Asked before each request. */
  readonly goesOn: () => boolean;
}

export interface FlightTally {
  answered: number;
  refused: number;
  reset: number;
  /** Streams that Envoy did not take, as it was closing the connection. */
  lost: number;
  /** Answers that are neither. */
  others: number;
}

/** Sends requests of all keys over HTTP/2 and, a few, over HTTP/1.1, of which a third is reset somewhere on its way. */
export async function fly(load: FlightLoad): Promise<FlightTally> {
  const tally: FlightTally = { answered: 0, refused: 0, reset: 0, lost: 0, others: 0 };
  const connection = async (): Promise<void> => {
    // Envoy tells clients to go elsewhere when it drains
    while (load.goesOn()) {
      const session = connectHttp2(`http://127.0.0.1:${load.port}`);
      session.on('error', () => undefined);
      const isOpen = (): boolean => !session.closed && !session.destroyed;
      const caller = async (): Promise<void> => {
        while (isOpen() && load.goesOn()) {
          if (load.random.chance(0.02)) await hangUp(load, tally);
          else if (isOpen()) await ask(session, load, tally);
        }
      };
      await Promise.all(Array.from({ length: load.streams }, caller));
      session.destroy();
    }
  };
  await Promise.all(Array.from({ length: load.connections }, connection));
  return tally;
}

function ask(session: ClientHttp2Session, { upstream, random, keys }: FlightLoad, tally: FlightTally): Promise<void> {
  const key = random.pick(keys);
  const mark = upstream.mark(key);
  return new Promise((resolve) => {
    const stream = session.request({ ':path': '/v1/pets', ':authority': 'a.test', 'x-api-key': key, [MARK]: mark });
    let status = 0;
    let isReset = false;
    const reset = (): void => {
      isReset = true;
      upstream.leave(mark);
      stream.close(constants.NGHTTP2_CANCEL);
    };
    const late = random.chance(1 / 3) ? setTimeout(reset, random.below(MOST_MS)) : undefined;
    stream.on('response', (headers) => (status = Number(headers[':status'])));
    stream.on('error', () => undefined).resume();
    stream.on('close', () => {
      clearTimeout(late);
      upstream.leave(mark);
      if (isReset && status !== 429) tally.reset++;
      else if (status === 200) tally.answered++;
      else if (status === 429) tally.refused++;
      else if (status === 0) tally.lost++;
      else tally.others++;
      resolve();
    });
  });
}

function hangUp({ port, upstream, random, keys }: FlightLoad, tally: FlightTally): Promise<void> {
  const key = random.pick(keys);
  const mark = upstream.mark(key);
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET /v1/pets HTTP/1.1\r\nhost: a.test\r\nx-api-key: ${key}\r\n${MARK}: ${mark}\r\n\r\n`),
    );
    socket.on('error', () => undefined).resume();
    socket.on('close', () => resolve());
    setTimeout(() => {
      tally.reset++;
      upstream.leave(mark);
      socket.resetAndDestroy();
    }, random.below(MOST_MS));
  });
}

/** How many requests of a key there may be in flight now, of `tried` at once; all of them are over when it returns. */
export async function roomOf(port: number, upstream: FlightUpstream, key: string, tried: number): Promise<number> {
  upstream.holds = true;
  let answered = 0;
  const answers = Array.from({ length: tried }, async () => {
    const status = await statusOf(port, key, upstream.mark(key));
    answered++;
    return status;
  });
  const deadline = Date.now() + 10_000;
  while (answered + upstream.nowOf(key) < tried) {
    if (Date.now() > deadline) throw new Error(`${answered} answered and ${upstream.nowOf(key)} held, of ${tried}`);
    await pause(5);
  }
  const held = upstream.nowOf(key);
  upstream.release();
  const statuses = await Promise.all(answers);
  const strange = statuses.filter((status) => status !== 200 && status !== 429);
  if (strange.length > 0) throw new Error(`statuses ${strange.join()}`);
  return held;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function statusOf(port: number, key: string, mark: string): Promise<number> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on('error', () => resolve(-1));
    const stream = session.request({ ':path': '/v1/pets', ':authority': 'a.test', 'x-api-key': key, [MARK]: mark });
    stream.on('response', (headers) => resolve(Number(headers[':status'])));
    stream.on('error', () => resolve(-1)).resume();
    stream.on('close', () => session.destroy());
  });
}
