import { createServer, type AddressInfo, type Server } from 'node:net';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw, type WireReply } from '../../harness/envoy/wireClient.ts';
import type { Random } from '../../harness/random.ts';
import { hold, type Attack, type Context } from '../form.ts';
import type { Target } from '../target.ts';

const KEY = 'acme-origin-secret';
const POLICY = `policy: origins
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  exact: { paths: [/exact], plans: [gold], upstream: v1, cors: { origins: ["https://app.example.com"], credentials: true, methods: [PUT] } }
  below: { paths: [/below], plans: [gold], upstream: v1, cors: { origins: ["https://*.example.com"], credentials: true, headers: [x-api-key] } }
  any: { paths: [/any], plans: [gold], anonymous: allow, upstream: v1, cors: { origins: "*" } }
  none: { paths: [/none], plans: [gold], upstream: v1 }
plans: { gold: {} }
consumers:
  acme: { plan: gold, keys: [{ id: a, digest: "${digestOf(KEY)}" }] }
`;
/** An upstream that would let every page read everything. */
const OPEN_ANSWER = [
  'HTTP/1.1 200 OK',
  'content-length: 0',
  'access-control-allow-origin: https://evil.test',
  'access-control-allow-origin: *',
  'access-control-allow-credentials: true',
  'access-control-allow-methods: *',
  'access-control-expose-headers: *',
].join('\r\n');
const AT_ONCE = 8;
const APIS = ['exact', 'below', 'any', 'none'] as const;

interface Probe {
  readonly api: (typeof APIS)[number];
  readonly method: string;
  readonly origins: readonly string[];
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Whatever origins a client makes up: no page may read an answer that the policy does not let it read. */
export const origins: Attack = {
  name: 'origins',
  tries: 'origins and preflights that are forged, joined, misspelt or huge, with an upstream that allows everything',
  async run(context) {
    const upstream = await openUpstream();
    context.cleanUp(async () => upstream.close());
    const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    const target = await context.open({ policy: POLICY, upstream: url, workers: 1 });
    await Promise.all(Array.from({ length: AT_ONCE }, () => attackOn(context, target)));
  },
};

function openUpstream(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      let text = '';
      socket.on('error', () => undefined);
      socket.setEncoding('latin1').on('data', (more: string) => {
        text += more;
        for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
          text = text.slice(end + 4);
          socket.write(`${OPEN_ANSWER}\r\n\r\n`);
        }
      });
    });
    server.on('error', reject).listen(0, '127.0.0.1', () => resolve(server));
  });
}

async function attackOn(context: Context, target: Target): Promise<void> {
  while (context.isTimeLeft()) {
    const probe = newProbe(context.random);
    const reply = await sendRaw(
      target.port,
      requestBytes({
        method: probe.method,
        path: `/${probe.api}/x`,
        host: 'api.test',
        headers: [...probe.origins.map((origin) => ['origin', origin] as const), ...probe.headers],
      }),
      probe.method,
    );
    context.count('requests');
    // Envoy itself refuses bytes that no header may hold
    if (reply !== null && reply.status !== 400 && probe.api !== 'none') judge(probe, reply);
    target.isWell();
  }
}

function newProbe(random: Random): Probe {
  const origins = Array.from({ length: random.chance(0.15) ? 2 : random.chance(0.1) ? 0 : 1 }, () => anOrigin(random));
  const headers: (readonly [string, string])[] = [];
  if (random.chance(0.7)) headers.push(['x-api-key', random.chance(0.7) ? KEY : 'no-such-key-at-all']);
  const method = random.pick(['GET', 'OPTIONS', 'PUT', 'HEAD']);
  if (method === 'OPTIONS' && random.chance(0.9)) {
    headers.push(['access-control-request-method', random.pick(['GET', 'PUT', 'put', 'PATCH', 'GET,PUT', '*', ''])]);
    if (random.chance(0.6))
      headers.push([
        'access-control-request-headers',
        random.pick([
          'x-api-key',
          'x-other',
          'x-api-key,x-api-key',
          ','.repeat(5000),
          'x-api-key,'.repeat(3000),
          '*',
          '',
        ]),
      ]);
  }
  return { api: random.pick(APIS), method, origins, headers };
}

const HOSTS = ['app.example.com', 'example.com', 'a.b.example.com', 'evil.test', 'evilexample.com'];

/** Origins that the policy allows, those that look like them, and such that no browser sends. */
function anOrigin(random: Random): string {
  const host = random.pick(HOSTS);
  const whole = `${random.pick(['https', 'https', 'https', 'http', 'HTTPS', 'file', ''])}://${host}`;
  switch (random.below(9)) {
    case 0:
      return random.pick(['null', '*', '', 'https://', '://', 'https://*.example.com', ' ']);
    case 1:
      return `https://evil.test${random.pick(['/', '#', '?', '\\', '@', ':80', ',', ' ', '%2f', ';', '\t', '%00'])}.example.com`;
    case 2:
      return `${whole}${random.pick([':443', ':8443', '/', '.', ',https://app.example.com', ' ', '?', '#'])}`;
    case 3:
      return `https://${'a.'.repeat(random.below(3000))}example.com`;
    case 4:
      return `https://${random.pick(['.', '..', '-', '_', '[', '@', 'A', '\xe9', '%61'])}${host}`;
    case 5:
      return random.bytes(40).replace(/[\0\r\n]/g, '');
    default:
      return whole;
  }
}

/** What a browser would make of an answer, by the URL standard and not by the module's own comparison. */
function judge(probe: Probe, { headers, status }: WireReply): void {
  const values = (name: string): string[] => headers.filter((header) => header[0] === name).map((header) => header[1]);
  const allowed = values('access-control-allow-origin');
  const shown = JSON.stringify({ ...probe, status, allowed }).slice(0, 600);
  hold(allowed.length <= 1, `an answer allows two origins: ${shown}`);
  hold(values('access-control-allow-credentials').length <= 1, `credentials are allowed twice: ${shown}`);
  const [origin] = allowed;
  const hasCredentials = values('access-control-allow-credentials').length > 0;
  if (probe.api === 'any') {
    hold(origin === (probe.origins.length > 0 ? '*' : origin), `"*" is not for all: ${shown}`);
    hold(probe.origins.length === 0 || !hasCredentials, `credentials for any origin: ${shown}`);
    return;
  }
  if (probe.origins.length === 0) return;
  // of several lines Envoy joins those that hold something
  const sent = probe.origins.map((one) => one.trim()).filter((one, _, all) => one !== '' || all.length === 1);
  const mayRead = sent.length === 1 && isCovered(probe.api, sent[0]!);
  hold(mayRead === (origin !== undefined), `an origin ${mayRead ? 'cannot' : 'can'} read: ${shown}`);
  if (origin === undefined) return;
  hold(origin === sent[0] && hasCredentials, `another origin is allowed: ${shown}`);
}

/** True for an origin as a browser writes it, of a host that the API allows. */
function isCovered(api: Probe['api'], origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  if (url.origin !== origin || url.protocol !== 'https:' || url.port !== '' || origin.length > 320) return false;
  if (api === 'exact') return url.hostname === 'app.example.com';
  return /^(?:[a-z0-9_-]+\.)+example\.com$/.test(url.hostname);
}
