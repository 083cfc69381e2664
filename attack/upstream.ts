import { createServer, type AddressInfo, type Socket } from 'node:net';

/** A request as its bytes stood on the wire to the upstream. */
export interface Arrived {
  readonly method: string;
  readonly path: string;
  /** Names in lower case, one for each line. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * An upstream that takes whatever Envoy sends, judges nothing, and keeps what it saw by the header `x-probe`. It never hangs up on
 * an idle connection, which Envoy would answer with a 503 of its own now and then; what comes after an upgrade is echoed.
 */
export class Upstream {
  private readonly arrived = new Map<string, Arrived>();
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((socket) => this.take(socket));

  static async start(): Promise<Upstream> {
    const upstream = new Upstream();
    await new Promise<void>((resolve, reject) => upstream.server.on('error', reject).listen(0, '127.0.0.1', resolve));
    return upstream;
  }

  /** The request with this header `x-probe`, once; undefined when it has not come. */
  taken(probe: string): Arrived | undefined {
    const arrived = this.arrived.get(probe);
    this.arrived.delete(probe);
    return arrived;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private take(socket: Socket): void {
    let text = '';
    let isUpgraded = false;
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket)).on('error', () => undefined);
    socket.setEncoding('latin1').on('data', (more: string) => {
      if (isUpgraded) return void socket.write(more, 'latin1');
      text += more;
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const request = parse(text.slice(0, end));
        text = text.slice(end + 4);
        this.arrived.set(request.headers.find(([name]) => name === 'x-probe')?.[1] ?? '', request);
        isUpgraded = request.headers.some(([name]) => name === 'upgrade');
        socket.write(
          isUpgraded
            ? 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'
            : 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
        );
      }
    });
  }
}

function parse(head: string): Arrived {
  const [first = '', ...lines] = head.split('\r\n');
  const [method = '', ...rest] = first.split(' ');
  return {
    method,
    path: rest.slice(0, -1).join(' '),
    headers: lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  };
}
