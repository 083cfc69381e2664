import { Random } from '../../harness/random.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { sendRaw } from '../../harness/envoy/wireClient.ts';
import { hold, type Attack, type Context } from '../form.ts';
import { spelledPath } from '../spelling.ts';
import type { Target } from '../target.ts';

const KEY = 'moved-secret-key';
/** What the policy says of each API: where it leads. */
const MOVED = {
  '/v1': '/',
  '/admin/area': '/new',
  '/public': 'https://b.test',
  '/free': 'https://b.test:8443/new/',
} as const;
const REDIRECTS = `policy: redirects
keySources: [{ header: x-api-key }, { query: api_key }]
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
${Object.entries(MOVED)
  .map(
    ([path, to], i) =>
      `  api-${i}: { paths: [${path}], redirect: { to: "${to}" }, deprecated: { since: 2026-01-01T00:00:00Z } }\n`,
  )
  .join('')}plans: { gold: {} }
consumers: { acme: { plan: gold, keys: [{ id: a, digest: "${digestOf(KEY)}" }] } }
`;
const HOSTS = new Set(['a.test', 'b.test', 'b.test:8443']);
/** A path from the root, or the policy's own host; then nothing that any client could read as another host. */
const LOCATION = /^(?:https:\/\/b\.test(?::8443)?)?\/(?:[!$-.0-;=?-Z_a-z~[\]][!$-;=?-Z_a-z~[\]]*)?$/;
const QUERIES = [
  '',
  '?',
  `?api_key=${KEY}`,
  `?x=1&%61pi_key=${KEY}`,
  `?api_key=${KEY}&x=//evil.test`,
  '?//evil.test',
  '?"<>\\^`{|}',
];
const AT_ONCE = 16;

/** Whatever a caller asks for, it is sent nowhere but where the policy says, and without a key. */
export const redirects: Attack = {
  name: 'redirects',
  tries: 'paths and queries that could turn a redirect to another host, or carry a key there',
  async run(context) {
    const target = await context.open({ policy: REDIRECTS, workers: 1 });
    await Promise.all(Array.from({ length: AT_ONCE }, () => attackOn(context, target)));
    target.isWell();
  },
};

async function attackOn(context: Context, target: Target): Promise<void> {
  const random = new Random(context.random.below(2 ** 31));
  while (context.isTimeLeft()) {
    const path = spelledPath(random).split('?')[0]! + random.pick(QUERIES);
    const lines = [`GET ${path} HTTP/1.1`, 'host: a.test', `x-api-key: ${KEY}`, 'connection: close'];
    const reply = await sendRaw(target.port, `${lines.join('\r\n')}\r\n\r\n`).catch(() => null);
    context.count('requests');
    const location = reply?.headers.find(([name]) => name === 'location')?.[1];
    if (reply === null || location === undefined) {
      target.isAlive();
      continue;
    }
    context.count('redirected');
    const told = `${JSON.stringify(path)} was sent to ${JSON.stringify(location)}`;
    hold(reply.status === 308, `${told} with ${reply.status}`);
    hold(LOCATION.test(location), told);
    hold(HOSTS.has(new URL(location, 'https://a.test/v1/x').host), told);
    hold(!location.includes(KEY), told);
    hold(!reply.body.includes(KEY), `the reply to ${JSON.stringify(path)} holds the key`);
  }
}
