import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';

const found = await available();
const RICH = 'x-api-key: rich-secret-key';

/** One connection of HTTP/1.1 that stays open, request after request. */
class Connection {
  private constructor(readonly socket: Socket) {}

  static async open(port: number): Promise<Connection> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new Connection(socket);
  }

  /** The status of the answer; the body is read away. */
  async send(head: string): Promise<number> {
    let text = '';
    const answered = new Promise<number>((resolve, reject) => {
      const onData = (chunk: Buffer): void => {
        text += chunk.toString('latin1');
        const end = text.indexOf('\r\n\r\n');
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
        if (end < 0 || text.length < end + 4 + length) return;
        this.socket.off('data', onData);
        resolve(Number(text.slice(9, 12)));
      };
      this.socket
        .on('data', onData)
        .once('error', reject)
        .once('close', () => reject(new Error(`closed after ${text.slice(0, 40)}`)));
    });
    this.socket.write(`${head}\r\n\r\n`);
    return answered;
  }
}

const upgrade = `GET /v1/pets HTTP/1.1\r\nhost: any\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n${RICH}`;
const get = `GET /v1/pets HTTP/1.1\r\nhost: any\r\n${RICH}`;

describe('a policy that old streams hold on to', { skip: found.skip }, () => {
  let test: EnvoyUnderTest;
  const open = testPolicy();
  const revoked = testPolicy().replace(
    'rich: { plan: endless, keys: [{ id: rich-1,',
    'rich: { plan: endless, keys: [{ id: rich-1, revoked: true,',
  );
  const sockets: Socket[] = [];
  const connection = async (): Promise<Connection> => {
    const opened = await Connection.open(test.port);
    sockets.push(opened.socket);
    return opened;
  };
  before(async () => {
    assert.notEqual(open, revoked);
    test = await EnvoyUnderTest.start(open, found, { concurrency: 2 });
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    await test?.stop();
  });

  it('no longer decides: the next request on an old connection is decided by the new one', async () => {
    const old = await connection();
    assert.equal(await old.send(get), 200);
    await test.edit(revoked);
    assert.equal(await old.send(get), 401);
    await test.edit(open);
    assert.equal(await old.send(get), 200);
  });

  it('is in force again, to the letter, when it comes back while they live', async () => {
    // Envoy takes the root that the streams have kept, and does not configure it anew.
    for (let i = 0; i < 4; i++) assert.equal(await (await connection()).send(upgrade), 101);
    for (let edit = 0; edit < 6; edit++) await test.edit(testPolicy({ routes: [`r${edit}`] }));
    await test.edit(revoked);
    for (let i = 0; i < 8; i++) assert.equal(await (await connection()).send(get), 401);
    await test.edit(open);
    for (let i = 0; i < 8; i++) assert.equal(await (await connection()).send(get), 200);
    await test.edit(revoked);
    for (let i = 0; i < 8; i++) assert.equal(await (await connection()).send(get), 401);
  });
});
