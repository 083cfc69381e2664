import { connect } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

/** A reply as bytes; every string is a byte string (latin1). */
export interface WireReply {
  status: number;
  protocol: string;
  /** Names in lower case. */
  headers: [name: string, value: string][];
  body: string;
}

const TIMEOUT_MS = 5000;

/** Sends raw bytes over a new connection, from an address of this machine, with TLS where `tls` is given; null when the peer closes it without a reply, or `signal` does. */
export function sendRaw(
  port: number,
  bytes: string,
  method = 'GET',
  from?: string,
  tls: ConnectionOptions | null = null,
  signal?: AbortSignal,
): Promise<WireReply | null> {
  return new Promise((resolve, reject) => {
    let received = '';
    const place = { port, host: '127.0.0.1', ...(from !== undefined && { localAddress: from }) };
    const begin = (): boolean => socket.write(bytes, 'latin1');
    const socket = tls === null ? connect(place, begin) : connectTls({ ...tls, ...place }, begin);
    const finish = (reply: WireReply | null): void => {
      resolve(reply);
      socket.destroy();
    };
    signal?.addEventListener('abort', () => socket.destroy());
    socket.setEncoding('latin1').setTimeout(TIMEOUT_MS, () => {
      reject(new Error(`no whole reply within ${TIMEOUT_MS} ms; received ${JSON.stringify(received.slice(0, 200))}`));
      socket.destroy();
    });
    socket.on('data', (text: string) => {
      received += text;
      const reply = parseReply(received, method, false);
      if (reply) finish(reply);
    });
    socket.on('close', () => finish(parseReply(received, method, true)));
    socket.on('error', () => finish(parseReply(received, method, true)));
  });
}

/** The reply in `text`, or null while it is incomplete. Without a length it ends with the connection. */
function parseReply(text: string, method: string, ended: boolean): WireReply | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const [protocol = '', status = ''] = first.split(' ');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const body = bodyOf(text.slice(end + 4), headers, method === 'HEAD' || /^(1..|204|304)$/.test(status), ended);
  return body === null ? null : { status: Number(status), protocol, headers, body };
}

function bodyOf(rest: string, headers: [string, string][], bodyless: boolean, ended: boolean): string | null {
  if (bodyless) return '';
  const length = headers.find(([name]) => name === 'content-length')?.[1];
  if (length !== undefined) return rest.length >= Number(length) ? rest.slice(0, Number(length)) : null;
  if (headers.some(([name, value]) => name === 'transfer-encoding' && value === 'chunked')) return unchunked(rest);
  return ended ? rest : null;
}

function unchunked(text: string): string | null {
  let body = '';
  for (let at = 0; ;) {
    const line = text.indexOf('\r\n', at);
    if (line < 0) return null;
    const size = Number.parseInt(text.slice(at, line), 16);
    if (size === 0) return body;
    body += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
    if (at > text.length) return null;
  }
}

/** Request bytes; without a host it is HTTP/1.0, the only version that allows it. */
export function requestBytes(request: {
  method: string;
  path: string | null;
  host: string | null;
  headers: readonly (readonly [string, string])[];
}): string {
  const first = `${request.method} ${request.path ?? ''} HTTP/1.${request.host === null ? 0 : 1}`;
  const host = request.host === null ? [] : [`host: ${request.host}`];
  return `${[first, ...host, ...request.headers.map(([name, value]) => `${name}: ${value}`)].join('\r\n')}\r\n\r\n`;
}
