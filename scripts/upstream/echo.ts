import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** What an upstream received: header names in lower case, each line of its own, values as byte strings. */
export interface Seen {
  upstream: string;
  method: string;
  path: string;
  headers: [name: string, value: string][];
}

export interface Echo {
  readonly name: string;
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

const MAX_HEADER_BYTES = 1 << 20;
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** What is different about an answer. */
export interface EchoAnswer {
  readonly status?: number;
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

/**
 * A small upstream that answers every request with what it received, and echoes what comes over an upgraded connection. An answer waits for the
 * promise that `onRequest` returns, if it does; what comes of it, or is returned at once, may say what is different about the answer.
 */
export function startEcho(
  name: string,
  onRequest?: (seen: Seen) => EchoAnswer | void | Promise<EchoAnswer | void>,
): Promise<Echo> {
  const sockets = new Set<Socket>();
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
    const seen = seenOf(name, request);
    const held = onRequest?.(seen);
    if (held instanceof Promise) void held.then((different) => answer(request, response, seen, different ?? {}));
    else answer(request, response, seen, held ?? {});
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request, socket) => {
    void onRequest?.(seenOf(name, request));
    upgrade(request, socket);
  });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      sockets.forEach((socket) => socket.destroy());
    });
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      resolve({ name, port, url: `http://127.0.0.1:${port}`, close });
    });
  });
}

function seenOf(upstream: string, request: IncomingMessage): Seen {
  const headers: [string, string][] = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2)
    headers.push([request.rawHeaders[i]!.toLowerCase(), request.rawHeaders[i + 1]!]);
  return { upstream, method: request.method ?? '', path: request.url ?? '', headers };
}

/** The request's body is read and dropped: an upstream that does not read stalls its clients. */
function answer(request: IncomingMessage, response: ServerResponse, seen: Seen, different: EchoAnswer): void {
  request.resume();
  response.statusCode = different.status ?? 200;
  for (const [name, value] of different.headers ?? []) response.appendHeader(name, value);
  const { headers, ...rest } = seen;
  response.setHeader('content-type', 'application/json');
  response.setHeader('x-upstream', seen.upstream);
  response.end(`${JSON.stringify({ ...rest, headers: Object.fromEntries(headers) }, null, 2)}\n`);
}

function upgrade(request: IncomingMessage, socket: Duplex): void {
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key'] ?? ''}${WEBSOCKET_GUID}`)
    .digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
  );
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
}
