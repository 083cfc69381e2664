import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { requestBytes, sendRaw } from '../envoy/wireClient.ts';
import type { Spelling } from './generate.ts';
import type { Passed } from './judge.ts';
import { KEY } from './policy.ts';

const ROUTE = 'x-tollgate-route';
const OK = 200;

/** Sends spellings to an Envoy with an echo behind it; null for a request that did not reach the echo. */
export interface Caller {
  send(given: Spelling): Promise<Passed | null>;
  close(): void;
}

/** HTTP/1.1 as bytes, each request on a new connection. */
export function callHttp1(port: number): Caller {
  return {
    async send({ authority, target }) {
      const reply = await sendRaw(
        port,
        requestBytes({ method: 'GET', path: target, host: authority, headers: [['x-api-key', KEY]] }),
      );
      return reply === null ? null : passed(reply.status, Buffer.from(reply.body, 'latin1').toString('utf8'));
    },
    close: () => undefined,
  };
}

/** HTTP/2: one stream after the other; a new connection when Envoy has closed the last one because of its contents. */
export function callHttp2(port: number): Caller {
  let session: ClientHttp2Session | null = null;
  const open = (): ClientHttp2Session => {
    if (session !== null && !session.closed && !session.destroyed) return session;
    return (session = connectHttp2(`http://127.0.0.1:${port}`).on('error', () => undefined));
  };
  return { send: (given) => sendStream(open(), given), close: () => session?.destroy() };
}

function sendStream(session: ClientHttp2Session, { authority, target }: Spelling): Promise<Passed | null> {
  return new Promise((resolve) => {
    let status = 0;
    let body = '';
    try {
      const stream = session.request(
        { ':authority': authority, ':path': target, 'x-api-key': KEY },
        { endStream: true },
      );
      stream.on('response', (headers) => (status = headers[':status'] ?? 0));
      stream.setEncoding('utf8').on('data', (text: string) => (body += text));
      stream.on('error', () => undefined).on('close', () => resolve(passed(status, body)));
    } catch {
      // Node refuses to send it; Envoy would not accept it either.
      resolve(null);
    }
  });
}

/** The request as the echo saw it; its route header says which API matched. */
function passed(status: number, body: string): Passed | null {
  if (status !== OK) return null;
  const { path, headers } = JSON.parse(body) as { path: string; headers: Record<string, string> };
  return { api: headers[ROUTE]?.split('/')[0] ?? null, forwarded: { authority: headers['host'] ?? '', target: path } };
}
