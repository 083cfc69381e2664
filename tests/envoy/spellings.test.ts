import assert from 'node:assert/strict';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { Random } from '../host/random.ts';
import { spelling, type Spelling } from '../spellings/generate.ts';
import { dissent } from '../spellings/judge.ts';
import { KEY, POLICIES, policyOf } from '../spellings/policy.ts';
import { available } from './available.ts';
import { EnvoyUnderTest } from './envoyUnderTest.ts';
import { digestOf } from './testPolicy.ts';
import { requestBytes, sendRaw } from './wireClient.ts';

const found = await available();
const SEED = Number(process.env.SEED ?? 20261);
const SPELLINGS = Number(process.env.SPELLINGS ?? 150);
const apis = POLICIES['unmatched: allow']!;

/** How connection managers treat paths and hosts: `tollgate run`'s, and what Istio's `pathNormalization` makes of it. */
const MANAGERS: Record<string, object> = {
  'paths left as they are': {},
  'Istio\'s BASE': { normalize_path: true },
  'Istio\'s MERGE_SLASHES': { normalize_path: true, merge_slashes: true },
  'Istio\'s DECODE_AND_MERGE_SLASHES': { normalize_path: true, merge_slashes: true, path_with_escaped_slashes_action: 'UNESCAPE_AND_FORWARD' },
  'slashes merged, escaped ones refused, hosts stripped': { merge_slashes: true, path_with_escaped_slashes_action: 'REJECT_REQUEST', strip_any_host_port: true, strip_trailing_host_dot: true },
};

describe('spellings of hosts and paths', { skip: found.skip }, () => {
  for (const [name, connectionManager] of Object.entries(MANAGERS)) {
    describe(`behind a connection manager with ${name}`, () => {
      let test: EnvoyUnderTest;
      before(async () => {
        test = await EnvoyUnderTest.start(policyOf(apis, digestOf(KEY)), found, { concurrency: 1, connectionManager });
      });
      after(() => test?.stop());

      it('let no server see another API over HTTP/1.1', async (t) => {
        const send = async ({ authority, target }: Spelling): Promise<void> => {
          await sendRaw(test.port, requestBytes({ method: 'GET', path: target, host: authority, headers: [['x-api-key', KEY]] }));
        };
        t.diagnostic(await tryAll(test, send));
      });

      it('let no server see another API over HTTP/2', async (t) => {
        const caller = new Http2Caller(test.port);
        try {
          t.diagnostic(await tryAll(test, (given) => caller.send(given)));
        } finally {
          caller.close();
        }
      });
    });
  }
});

/** Sends the spellings one by one; what reaches the upstream says by its route which API has judged it. */
async function tryAll(test: EnvoyUnderTest, send: (given: Spelling) => Promise<void>): Promise<string> {
  const random = new Random(SEED);
  let passed = 0;
  for (let i = 0; i < SPELLINGS; i++) {
    const given = spelling(random);
    const before = test.seen.length;
    await send(given);
    const seen = test.seen[before];
    if (seen === undefined) continue;
    passed++;
    const header = (name: string): string | undefined => seen.headers.find(([found]) => found === name)?.[1];
    const api = header('x-tollgate-route')?.split('/')[0] ?? null;
    const forwarded = { authority: header('host') ?? '', target: seen.path };
    assert.deepEqual(dissent(apis, { api, forwarded }), [], `seed ${SEED}, spelling ${i} ${JSON.stringify(given)}, forwarded ${JSON.stringify(forwarded)}, judged by ${api}`);
  }
  assert.ok(passed > SPELLINGS / 5, `${passed} of ${SPELLINGS} passed`);
  return `${passed} of ${SPELLINGS} spellings reached the upstream`;
}

/** One stream after the other, on a new connection when Envoy has ended the last one for what came over it. */
class Http2Caller {
  private session: ClientHttp2Session | null = null;

  constructor(private readonly port: number) {}

  send({ authority, target }: Spelling): Promise<void> {
    const session = this.open();
    return new Promise((resolve) => {
      try {
        const stream = session.request({ ':authority': authority, ':path': target, 'x-api-key': KEY }, { endStream: true });
        stream.on('error', () => undefined).on('close', () => resolve()).resume();
      } catch {
        // Node does not send it, as Envoy would not take it.
        resolve();
      }
    });
  }

  close(): void {
    this.session?.destroy();
  }

  private open(): ClientHttp2Session {
    if (this.session !== null && !this.session.closed && !this.session.destroyed) return this.session;
    this.session = connectHttp2(`http://127.0.0.1:${this.port}`);
    return this.session.on('error', () => undefined);
  }
}
