import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A TCP proxy on loopback that passes bytes on after a delay; closed, it refuses connections. */
export class Delay {
  delayMs = 0;
  private server: Server | null = null;
  private readonly sockets = new Set<Socket>();
  private chosenPort = 0;

  constructor(private readonly target: number) {}

  get port(): number {
    return this.chosenPort;
  }

  /** Listens, on the same port as before if it had one. */
  async open(): Promise<void> {
    const server = createServer((client) => this.join(client, connect(this.target, '127.0.0.1')));
    await new Promise<void>((resolve, reject) =>
      server.on('error', reject).listen(this.chosenPort, '127.0.0.1', resolve),
    );
    this.chosenPort = (server.address() as AddressInfo).port;
    this.server = server;
  }

  async close(): Promise<void> {
    const { server } = this;
    this.server = null;
    const closed = new Promise((resolve) => (server === null ? resolve(null) : server.close(resolve)));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private join(client: Socket, target: Socket): void {
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      this.sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (bytes) => {
        // One direction is delayed: a round trip takes `delayMs` longer.
        if (from === target || this.delayMs === 0) to.write(bytes);
        else setTimeout(() => to.write(bytes), this.delayMs);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
  }
}
