import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { headersOf } from './traffic.ts';
import { pause } from './steady.ts';

/** Sends a request over HTTP/1.1 on a connection of its own and hangs up after `afterMs`, answered or not. */
export async function hangUpHttp1(port: number, afterMs: number): Promise<void> {
  const headers = Object.entries(headersOf())
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const socket = connect(port, '127.0.0.1', () =>
    socket.write(`GET /v1/pets HTTP/1.1\r\nhost: a.test\r\n${headers}\r\n`),
  );
  socket.on('error', () => undefined).resume();
  await pause(afterMs);
  socket.resetAndDestroy();
}

/** Sends requests as streams of one HTTP/2 connection and cancels each after `afterMs`; then the connection is closed too. */
export async function hangUpHttp2(port: number, streams: number, afterMs: number): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  for (let i = 0; i < streams; i++) {
    const stream = session.request({ ':path': '/v1/pets', ':authority': 'a.test', ...headersOf() });
    stream.on('error', () => undefined).resume();
    setTimeout(() => stream.close(8), afterMs);
  }
  await pause(afterMs + 20);
  session.destroy();
}
