import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Random } from './random.ts';

const MARK = 'x-mark';
const WANTED = 'x-wanted';
/** Answers come after a moment of this length at most. */
const MOST_MS = 15;
export const USAGE = 'x-usage';

/** What an upstream is told to answer; `never`: its client goes before. */
export interface Wanted {
  readonly status: number;
  readonly usage: readonly string[];
  readonly never: boolean;
  /** True: an interim answer comes before, which says another number. */
  readonly hints?: boolean;
}

/** An upstream that says in a header what each request has cost, as the request tells it to. */
export class MeteredUpstream {
  private readonly arrivals = new Map<string, () => void>();
  private constructor(private readonly server: Server) {}

  static async start(random: Random): Promise<MeteredUpstream> {
    // it closes no idle connection, which Envoy would answer with a 503 of its own now and then
    const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 });
    const upstream = new MeteredUpstream(server);
    server.on('request', (asked, response) => {
      const wanted = wantedOf(asked.headers[WANTED]);
      upstream.arrivals.get(String(asked.headers[MARK]))?.();
      if (wanted.never) return;
      if (wanted.hints) response.writeEarlyHints({ link: '</a>; rel=preload', [USAGE]: '1' });
      const answer = (): void => {
        for (const value of wanted.usage) response.appendHeader(USAGE, value);
        response.writeHead(wanted.status).end();
      };
      setTimeout(answer, random.below(MOST_MS));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return upstream;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Resolves once the request with this mark is there. */
  arrived(mark: string): Promise<void> {
    return new Promise((resolve) =>
      this.arrivals.set(mark, () => {
        this.arrivals.delete(mark);
        resolve();
      }),
    );
  }

  forget(mark: string): void {
    this.arrivals.delete(mark);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function wantedOf(header: string | string[] | undefined): Wanted {
  if (typeof header !== 'string') return { status: 200, usage: [], never: false };
  return JSON.parse(decodeURIComponent(header)) as Wanted;
}

/** What a request costs by the rules: `reserve` until it is answered, `most` at most. */
export interface Price {
  readonly reserve: number;
  readonly most: number;
  readonly successOnly: boolean;
}

/** What an answer comes to. */
export function unitsOf({ status, usage, never }: Wanted, { reserve, most, successOnly }: Price): number {
  if (never) return reserve;
  if (successOnly && (status < 200 || status > 299)) return 0;
  const [value = '', ...others] = usage;
  if (others.length > 0 || !/^[0-9]{1,32}$/.test(value.trim())) return reserve;
  return BigInt(value) > BigInt(most) ? most : Number(value);
}

/** Values of a header as upstreams send them, good and bad. */
export function someUsage(random: Random, most: number): string[] {
  const bad = ['-5', '1e9', '17, 3', '0x10', 'NaN', '', '+3', '3.0', '9'.repeat(33), 'x'.repeat(4000), '\u00e4\u00ff'];
  const kind = random.below(10);
  if (kind < 5) return [String(random.below(most + 1))];
  if (kind < 7) return [random.pick([String(most), String(most + 1), '9'.repeat(20), '9'.repeat(32)])];
  if (kind === 7) return [];
  return kind === 8 ? [random.pick(bad)] : [String(random.below(9)), String(random.below(9))];
}

export interface SettledLoad {
  readonly port: number;
  readonly path: string;
  readonly key: string;
  readonly upstream: MeteredUpstream;
  readonly price: Price;
  readonly connections: number;
  /** What the next request's upstream answers; null: there is no next one. */
  readonly next: () => Wanted | null;
}

export interface SettledTally {
  /** Units that all have come to. */
  units: number;
  passed: number;
  reset: number;
  refused: number;
  /** Requests whose connection broke, so that nobody knows what they cost. */
  unknown: number;
  /** The most that were in flight at once, of those that had passed. */
  most: number;
}

let marks = 0;

/** Sends requests over as many connections as are said, until there is no next one. */
export async function spend(load: SettledLoad): Promise<SettledTally> {
  const tally: SettledTally = { units: 0, passed: 0, reset: 0, refused: 0, unknown: 0, most: 0 };
  const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
  let inFlight = 0;
  const caller = async (): Promise<void> => {
    for (let wanted = load.next(); wanted !== null; wanted = load.next()) {
      const mark = String(++marks);
      tally.most = Math.max(tally.most, ++inFlight);
      const status = wanted.never ? await reset(load, mark, wanted) : await once(load, agent, mark, wanted);
      inFlight--;
      if (status === 429) tally.refused++;
      else if (status === 0) tally.unknown++;
      else {
        tally.passed++;
        if (wanted.never) tally.reset++;
        tally.units += unitsOf(wanted, load.price);
      }
    }
  };
  await Promise.all(Array.from({ length: load.connections }, caller));
  agent.destroy();
  return tally;
}

function headersOf({ key }: SettledLoad, mark: string, wanted: Wanted): Record<string, string> {
  return { 'x-api-key': key, [MARK]: mark, [WANTED]: encodeURIComponent(JSON.stringify(wanted)) };
}

function once(load: SettledLoad, agent: Agent, mark: string, wanted: Wanted): Promise<number> {
  return new Promise((resolve) => {
    const { port, path } = load;
    const sent = request(
      { agent, host: '127.0.0.1', port, path, headers: headersOf(load, mark, wanted) },
      (response) => {
        response
          .resume()
          .on('end', () => resolve(response.statusCode ?? 0))
          .on('error', () => resolve(0));
      },
    );
    sent.on('error', () => resolve(0)).end();
  });
}

/** Sends one that its upstream never answers, and goes once the upstream has it; 1: it was there. */
function reset(load: SettledLoad, mark: string, wanted: Wanted): Promise<number> {
  return new Promise((resolve) => {
    const { port, path } = load;
    const sent = request(
      { agent: false, host: '127.0.0.1', port, path, headers: headersOf(load, mark, wanted) },
      (response) => {
        load.upstream.forget(mark);
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    sent.on('error', () => resolve(0)).end();
    void load.upstream.arrived(mark).then(() => {
      resolve(1);
      sent.destroy();
    });
  });
}
