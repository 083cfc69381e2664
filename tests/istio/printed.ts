import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MeshUnderTest } from './meshUnderTest.ts';
import { ACME, digestOf, meshPolicy } from './policy.ts';

/** What YAML, JSON in a protobuf Struct and Istio's own printing could each change on the way. */
const ODD = 'yes <b>&amp; "no" \\ ~ 1e3 ü';
const LARGEST = Number.MAX_SAFE_INTEGER;
/** The most that a structured field can say, and so the header. */
const MOST_TOLD = 999_999_999_999_999;
const LARGE = 123_456_789_012_345;

export function printedTests(mesh: MeshUnderTest): void {
  describe('a plugin config as Istio prints it', () => {
    it('means the same to the module: large numbers, times, and strings with every kind of quote', async () => {
      const gateway = await mesh.gateway('printed');
      const policy = meshPolicy({ name: 'printed', targets: [gateway.target] });
      const api = policy.apis['printed']!;
      await gateway.rollOut({
        ...policy,
        apis: {
          printed: {
            ...api,
            routes: [
              {
                name: 'odd',
                when: { methods: ['GET'] },
                setHeaders: { 'x-odd': ODD, 'x-number': '0123', 'x-empty': '' },
              },
            ],
          },
        },
        plans: {
          counted: {
            quotas: {
              largest: { limit: LARGEST, window: 'month' },
              large: { limit: LARGE, window: 'month' },
              millions: { limit: 1_000_000, window: 'day' },
            },
          },
          endless: {},
        },
        consumers: {
          acme: {
            plan: 'counted',
            keys: [
              {
                id: 'now',
                digest: digestOf(ACME['x-api-key']),
                from: '2001-02-03T04:05:06Z',
                until: '2099-12-31T23:59:59Z',
              },
              { id: 'past', digest: digestOf('past-key'), until: '2001-09-09T01:46:40Z' },
              { id: 'future', digest: digestOf('future-key'), from: '2099-12-31T23:59:59Z' },
            ],
          },
        },
      });
      const { status, seen, headers } = await gateway.becomes('allowed', (reply) => reply.status === 200, {
        headers: ACME,
      });
      assert.equal(status, 200);
      assert.equal(Buffer.from(seen!.headers['x-odd']!, 'latin1').toString(), ODD);
      assert.deepEqual([seen!.headers['x-number'], seen!.headers['x-empty']], ['0123', '']);
      assert.match(
        String(headers['ratelimit-policy']),
        new RegExp(`"millions";q=1000000;.*"large";q=${LARGE};.*"largest";q=${MOST_TOLD};`),
      );
      const reason = async (key: string): Promise<string> =>
        (JSON.parse((await gateway.call({ headers: { 'x-api-key': key } })).body) as { reason: string }).reason;
      assert.deepEqual([await reason('past-key'), await reason('future-key')], ['expired_api_key', 'inactive_api_key']);
    });
  });
}
