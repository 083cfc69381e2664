import { connect } from 'node:net';

/** The counters in a Redis, by key. Speaks only as much of the protocol as this needs. */
export async function countersOf(port: number): Promise<Map<string, number>> {
  const keys = arrayIn(await command(port, 'KEYS', '*'));
  if (keys.length === 0) return new Map();
  const values = arrayIn(await command(port, 'MGET', ...keys));
  return new Map(keys.map((key, i) => [key, Number(values[i])]));
}

/** Sends one command on a new connection; QUIT marks the end of the reply. */
function command(port: number, ...words: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let reply = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(`${resp(words)}${resp(['QUIT'])}`));
    socket.setEncoding('utf8').setTimeout(2000, () => socket.destroy(new Error('redis: no answer')));
    socket
      .on('data', (text: string) => (reply += text))
      .on('end', () => resolve(reply))
      .on('error', reject);
  });
}

function resp(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

/** Reads `*n`, then n times `$length` and a string. Keys and numbers have no line breaks. */
function arrayIn(reply: string): string[] {
  const [head = '', ...lines] = reply.split('\r\n');
  if (!head.startsWith('*')) throw new Error(`redis: ${head}`);
  return lines.slice(0, 2 * Number(head.slice(1))).filter((_, i) => i % 2 === 1);
}
