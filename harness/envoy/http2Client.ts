import { connect, type Socket } from 'node:net';

/*
 * Just enough of HTTP/2 (RFC 9113) to send header lists that Node's own client refuses to send, such as a repeated
 * `authorization`: one connection, one request, every header as a literal without indexing (RFC 7541, 6.2.2).
 */

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const FRAME_HEADER_BYTES = 9;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const GOAWAY = 7;
const END_STREAM_AND_HEADERS = 5;
const TIMEOUT_MS = 5000;

/** Sends one request; true once the peer has answered with headers, false when it resets the stream or the connection. */
export function sendHttp2(port: number, headers: readonly (readonly [string, string])[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const block = Buffer.concat(headers.map(([name, value]) => literal(name, value)));
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(
        Buffer.concat([Buffer.from(PREFACE), frame(SETTINGS, 0, 0), frame(HEADERS, END_STREAM_AND_HEADERS, 1, block)]),
      );
    });
    const finish = (answered: boolean): void => {
      resolve(answered);
      socket.destroy();
    };
    socket.setTimeout(TIMEOUT_MS, () => {
      reject(new Error(`no answer over HTTP/2 within ${TIMEOUT_MS} ms`));
      socket.destroy();
    });
    socket.on('error', () => finish(false)).on('close', () => finish(false));
    socket.on('data', (bytes: Buffer) => {
      received = readFrames(Buffer.concat([received, bytes]), socket, finish);
    });
  });
}

/** Reads every complete frame; returns the bytes that are left. */
function readFrames(bytes: Buffer, socket: Socket, finish: (answered: boolean) => void): Buffer {
  let at = 0;
  while (bytes.length - at >= FRAME_HEADER_BYTES) {
    const size = bytes.readUIntBE(at, 3);
    if (bytes.length - at < FRAME_HEADER_BYTES + size) break;
    const type = bytes[at + 3];
    if (type === SETTINGS && (bytes[at + 4]! & 1) === 0) socket.write(frame(SETTINGS, 1, 0));
    if (type === HEADERS) finish(true);
    if (type === RST_STREAM || type === GOAWAY) finish(false);
    at += FRAME_HEADER_BYTES + size;
  }
  return bytes.subarray(at);
}

function frame(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(FRAME_HEADER_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x00), text(name), text(value)]);
}

/** A string without Huffman coding: its length as a 7-bit prefix integer (RFC 7541, 5.1), then its bytes. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 0x7f) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const size = [0x7f];
  let rest = bytes.length - 0x7f;
  for (; rest >= 0x80; rest >>= 7) size.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...size, rest]), bytes]);
}
