import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { EditedEnvoy } from './editedEnvoy.ts';

const found = await available();

/** The test's policy, where acme may call from these addresses. */
function policyFor(allowed: string, trustedHops?: number): string {
  const hops = trustedHops === undefined ? '' : `clientAddress: { trustedHops: ${trustedHops} }\n`;
  return hops + testPolicy().replace('acme: {', `acme: { addresses: { allow: [${allowed}] },`);
}

function bytes(forwardedFor: readonly string[]): string {
  const headers = [
    ['x-api-key', 'acme-secret-key'],
    ['connection', 'close'],
    ...forwardedFor.map((line) => ['x-forwarded-for', line]),
  ] as [string, string][];
  return requestBytes({ method: 'GET', path: '/v1/pets', host: 'any', headers });
}

/** Settings of Envoy's connection manager, and what a request from 127.0.0.7 must bear to count as one from 10.0.0.1. */
const SETTINGS: readonly {
  what: string;
  manager: object;
  trustedHops?: number;
  counts: readonly string[][];
  others: readonly string[][];
}[] = [
  {
    what: 'one proxy, known to Envoy',
    manager: { use_remote_address: true, xff_num_trusted_hops: 1 },
    counts: [['10.0.0.1'], ['192.0.2.1, 10.0.0.1'], ['192.0.2.1', '10.0.0.1']],
    others: [[], ['192.0.2.1'], ['10.0.0.1, 192.0.2.1'], ['10.0.0.1', '192.0.2.1']],
  },
  {
    what: 'one proxy, known to the policy',
    manager: { use_remote_address: true },
    trustedHops: 2,
    counts: [['10.0.0.1'], ['192.0.2.1, 10.0.0.1'], ['192.0.2.1', '10.0.0.1']],
    others: [[], ['192.0.2.1'], ['10.0.0.1, 192.0.2.1'], ['10.0.0.1', '192.0.2.1']],
  },
  {
    what: 'one proxy, known to the policy, where Envoy does not append',
    manager: { use_remote_address: true, skip_xff_append: true },
    trustedHops: 1,
    counts: [['10.0.0.1'], ['192.0.2.1, 10.0.0.1']],
    others: [[], ['192.0.2.1'], ['10.0.0.1, 192.0.2.1']],
  },
  {
    what: 'one proxy, known to the policy, where Envoy uses no remote address',
    manager: { use_remote_address: false },
    trustedHops: 1,
    counts: [['10.0.0.1'], ['192.0.2.1, 10.0.0.1']],
    others: [[], ['192.0.2.1'], ['10.0.0.1, 192.0.2.1']],
  },
  {
    what: 'no proxy and no remote address: Envoy believes the client, as the page says',
    manager: { use_remote_address: false },
    counts: [['10.0.0.1'], ['192.0.2.1, 10.0.0.1']],
    others: [[], ['192.0.2.1']],
  },
];

describe('the address of a client', { skip: found.skip }, () => {
  for (const { what, manager, trustedHops, counts, others } of SETTINGS) {
    it(`is found with ${what}`, async () => {
      const envoy = await EnvoyUnderTest.start(policyFor('10.0.0.1', trustedHops), found, {
        concurrency: 1,
        connectionManager: manager,
      });
      const statusOf = async (lines: string[]): Promise<number | undefined> =>
        (await sendRaw(envoy.port, bytes(lines), 'GET', '127.0.0.7'))?.status;
      try {
        for (const lines of counts) assert.equal(await statusOf(lines), 200, `allows ${JSON.stringify(lines)}`);
        for (const lines of others) assert.equal(await statusOf(lines), 403, `refuses ${JSON.stringify(lines)}`);
      } finally {
        await envoy.stop();
      }
    });
  }

  describe('that comes by a Unix socket', () => {
    const path = join(scratchFolder(), 'envoy.sock');
    let envoy: EditedEnvoy;
    before(async () => {
      envoy = await EditedEnvoy.start(policyFor('0.0.0.0/0, "::/0"'), 'http://127.0.0.1:9', found, (_, listeners) => {
        listeners.push({ ...listeners[0], name: 'pipe', address: { pipe: { path } } });
      });
    });
    after(async () => {
      await envoy?.stop();
      rmSync(path, { force: true });
    });

    it('is not known, so that it lies in no list', async () => {
      const reply = await new Promise<string>((resolve, reject) => {
        let text = '';
        const socket = connect(path, () => socket.write(bytes(['10.0.0.1'])));
        socket.setEncoding('latin1').on('data', (part: string) => (text += part));
        socket.on('close', () => resolve(text)).on('error', reject);
      });
      assert.match(reply, /^HTTP\/1\.1 403 [^]*"reason":"address_not_allowed"/);
    });
  });
});
