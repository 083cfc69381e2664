import {
  createServer,
  request as forward,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What the proxy does with a request instead of passing it on. */
export type Fault =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  /** Passes this many bytes of the body on, then breaks both connections. */
  | { readonly cutAfter: number }
  /** Breaks the connection after the registry has handled the request, before the answer. */
  | 'lose the answer'
  /** Never answers. */
  | 'hang'
  /** Breaks the connection before the registry sees the request. */
  | 'break'
  | { readonly replaceBody: Buffer }
  | { readonly replaceHeaders: Record<string, string | undefined> };

/**
 * Stands between the tool and a registry, records every request and injects faults on demand. The registry sees the proxy's name as
 * Host, so the locations that it returns lead through the proxy again.
 */
export class Proxy {
  readonly seen: Seen[] = [];
  fault: (request: Seen) => Fault | undefined | Promise<Fault | undefined> = () => undefined;
  private readonly server: Server;

  private constructor(private readonly target: string) {
    this.server = createServer((request, response) => void this.serve(request, response));
  }

  static async start(target: string): Promise<Proxy> {
    const proxy = new Proxy(target);
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The method of every request since the last call, with the rest of its path. */
  take(): string[] {
    return this.seen.splice(0).map(
      ({ method, path }) =>
        `${method} ${path
          .replace(/\?.*/, '')
          .replace(/[0-9a-f]{64}/g, 'HEX')
          .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, 'UUID')}`,
    );
  }

  /** A fault for the first `times` requests that match. */
  failing(times: number, matches: (request: Seen) => boolean, fault: Fault): void {
    let left = times;
    this.fault = (request) => (left > 0 && matches(request) && left-- > 0 ? fault : undefined);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const seen = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(parts),
    };
    this.seen.push(seen);
    const fault = await this.fault(seen);
    if (fault === 'hang') return;
    if (fault === 'break') {
      response.socket?.destroy();
      return;
    }
    if (fault !== undefined && typeof fault === 'object' && 'status' in fault)
      response.writeHead(fault.status, fault.headers).end(fault.body);
    else this.pass(seen, response, fault);
  }

  private pass(
    seen: Seen,
    response: ServerResponse,
    fault: Exclude<Fault, { status: number } | 'hang' | 'break'> | undefined,
  ): void {
    const { method, path, headers } = seen;
    const body = typeof fault === 'object' && 'replaceBody' in fault ? fault.replaceBody : seen.body;
    const length = body === seen.body ? {} : { 'content-length': String(body.length) };
    const upstream = forward(`http://${this.target}${path}`, {
      method,
      headers: { ...headers, ...length, connection: 'close' },
    });
    upstream.on('error', () => response.socket?.destroy());
    upstream.on('response', (answer) => {
      if (fault === 'lose the answer') {
        answer.resume().on('end', () => response.socket?.destroy());
        return;
      }
      const changed = typeof fault === 'object' && 'replaceHeaders' in fault ? fault.replaceHeaders : {};
      const kept = Object.fromEntries(
        Object.entries({ ...answer.headers, ...changed }).filter(([, value]) => value !== undefined),
      );
      response.writeHead(answer.statusCode ?? 500, kept);
      answer.pipe(response);
    });
    if (typeof fault === 'object' && 'cutAfter' in fault) {
      upstream.write(seen.body.subarray(0, fault.cutAfter), () => setTimeout(() => upstream.destroy(), 100));
      return;
    }
    upstream.end(body);
  }
}
