import {
  connect as connectHttp2,
  constants,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect } from 'node:net';
import { pause } from './form.ts';

/** A status, or what became of a request without one: reset by us, gone with its connection, or never answered. */
export type End = number | 'reset' | 'lost' | 'hung';

export interface Asking {
  readonly headers: OutgoingHttpHeaders;
  /** Reset so long after it was sent, or as soon as the answer begins. */
  readonly reset?: { readonly afterMs: number } | 'answered';
  readonly timeoutMs?: number;
  readonly onAnswer?: (headers: IncomingHttpHeaders) => void;
}

const TIMEOUT_MS = 15_000;

/** A connection that is open; null when there is none to be had. */
export function openHttp2(port: number): Promise<ClientHttp2Session | null> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.once('connect', () => resolve(session));
    session.on('error', () => resolve(null));
    session.once('close', () => resolve(null));
  });
}

/** One stream of a connection, from its beginning to its end. */
export function askHttp2(
  session: ClientHttp2Session,
  { headers, reset, timeoutMs = TIMEOUT_MS, onAnswer }: Asking,
): Promise<End> {
  if (session.closed || session.destroyed) return pause(1).then(() => 'lost');
  return new Promise((resolve) => {
    const stream = session.request({ ':path': '/v1/pets', ':authority': 'a.test', ...headers });
    let end: End = 'lost';
    const cancel = (as: End): void => {
      if (end === 'lost') end = as;
      stream.close(constants.NGHTTP2_CANCEL);
    };
    const late = setTimeout(() => cancel('hung'), timeoutMs);
    const resetting = typeof reset === 'object' ? setTimeout(() => cancel('reset'), reset.afterMs) : undefined;
    stream.on('response', (answer) => {
      end = Number(answer[':status']);
      onAnswer?.(answer);
      if (reset === 'answered') cancel('reset');
    });
    stream.on('error', () => undefined).resume();
    stream.on('close', () => {
      clearTimeout(late);
      clearTimeout(resetting);
      resolve(end);
    });
  });
}

/** A request over HTTP/1.1 on a connection of its own that hangs up after `afterMs`, answered or not. */
export async function hangUp(port: number, headers: Readonly<Record<string, string>>, afterMs: number): Promise<void> {
  const lines = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const socket = connect(port, '127.0.0.1', () =>
    socket.write(`GET /v1/pets HTTP/1.1\r\nhost: a.test\r\n${lines}\r\n`),
  );
  socket.on('error', () => undefined).resume();
  await pause(afterMs);
  socket.resetAndDestroy();
}
