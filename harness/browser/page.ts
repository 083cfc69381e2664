import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

const MAX_REPORT_BYTES = 1 << 20;

/** A web page on an origin of its own; its script ends by reporting a value, which arrives here. */
export class Page {
  private report: ((value: unknown) => void) | null = null;
  private script = '';
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static open(): Promise<Page> {
    return new Promise((resolve, reject) => {
      const server = createServer((request, response) => {
        if (request.method !== 'POST') {
          response.setHeader('content-type', 'text/html; charset=utf-8');
          return void response.end(page.html());
        }
        let body = '';
        request.setEncoding('utf8').on('data', (part: string) => {
          if (body.length < MAX_REPORT_BYTES) body += part;
        });
        request.on('end', () => {
          response.end();
          page.report?.(JSON.parse(body));
        });
      });
      let page: Page;
      server.on('error', reject).listen(0, '127.0.0.1', () => {
        page = new Page(server, (server.address() as AddressInfo).port);
        server.on('connection', (socket) => {
          page.sockets.add(socket);
          socket.on('close', () => page.sockets.delete(socket));
        });
        resolve(page);
      });
    });
  }

  /** What the script of the page returns, once `visit` has opened it in a browser. `script` is the body of an async function. */
  async run(script: string, visit: () => void, timeoutMs: number): Promise<unknown> {
    this.script = script;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no report of the page within ${timeoutMs} ms`)), timeoutMs);
      this.report = (value) => {
        clearTimeout(timer);
        resolve(value);
      };
      visit();
    });
  }

  private html(): string {
    return `<!doctype html><title>page</title><script type="module">
const report = (value) => fetch('/', { method: 'POST', body: JSON.stringify(value) });
try { await report(await (async () => { ${this.script} })()); }
catch (error) { await report({ failed: String(error) }); }
</script>`;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.sockets.forEach((socket) => socket.destroy());
    });
  }
}
