import { Random } from '../../harness/random.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { sendRaw } from '../../harness/envoy/wireClient.ts';
import { askHttp2, openHttp2 } from '../client.ts';
import { hold, type Attack, type Context } from '../form.ts';
import { HOST_READERS, liesUnder, meantPath, PATH_READERS } from '../readers.ts';
import { spelledHost, spelledPath } from '../spelling.ts';
import type { Target } from '../target.ts';
import { Upstream, type Arrived } from '../upstream.ts';

const KEY = 'door-secret-key';
const GATED_PATHS = ['/v1', '/admin/area'];
const DOORS = `policy: doors
unmatched: allow
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  gated: { paths: [${GATED_PATHS.join(', ')}], plans: [gold], upstream: v1 }
  hosted: { hosts: [api.example.com, "*.pets.example.com"], paths: [/], plans: [gold], upstream: v1 }
  public: { paths: [/public], anonymous: allow, upstream: v1 }
plans: { gold: {} }
consumers: { acme: { plan: gold, keys: [{ id: a, digest: "${digestOf(KEY)}" }] } }
`;
/** How people set Envoy's own treatment of paths: not at all, as Istio's default, and as far as it goes. */
const MANAGERS = [
  {},
  { normalize_path: true },
  { normalize_path: true, merge_slashes: true, path_with_escaped_slashes_action: 'UNESCAPE_AND_FORWARD' },
];
const AT_ONCE = 24;

interface Probe {
  readonly id: string;
  readonly path: string;
  readonly hosts: readonly string[];
  readonly hasKey: boolean;
  readonly version: 1 | 2;
}

/** What matches no API passes. So every spelling of a gated place must match, be refused, or arrive as what was judged. */
export const doors: Attack = {
  name: 'doors',
  tries: 'paths and hosts in spellings that others read as a gated place, on a policy with unmatched: allow',
  async run(context) {
    const upstream = await Upstream.start();
    context.cleanUp(() => upstream.close());
    const targets: Target[] = [];
    for (const connectionManager of MANAGERS)
      targets.push(await context.open({ policy: DOORS, upstream: upstream.url, workers: 1, connectionManager }));
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => attackOn(context, targets, upstream, i)));
  },
};

async function attackOn(
  context: Context,
  targets: readonly Target[],
  upstream: Upstream,
  caller: number,
): Promise<void> {
  const random = new Random(context.random.below(2 ** 31));
  for (let i = 0; context.isTimeLeft(); i++) {
    const manager = random.below(MANAGERS.length);
    const probe = newProbe(random, `${caller}-${i}`);
    await send(targets[manager]!, probe);
    judge(context, probe, upstream.taken(probe.id), manager === 0);
    targets[manager]!.isWell();
  }
}

function newProbe(random: Random, id: string): Probe {
  const version = random.chance(0.3) ? 2 : 1;
  const hosts =
    version === 1 && random.chance(0.05) ? [spelledHost(random), spelledHost(random)] : [spelledHost(random)];
  return { id, path: spelledPath(random), hosts, hasKey: random.chance(0.25), version };
}

/** What is answered does not matter here: what arrives does. */
async function send(target: Target, { id, path, hosts, hasKey, version }: Probe): Promise<void> {
  const key = hasKey ? { 'x-api-key': KEY } : {};
  if (version === 1) {
    const lines = [
      `GET ${path} HTTP/1.1`,
      ...hosts.map((host) => `host: ${host}`),
      `x-probe: ${id}`,
      ...(hasKey ? [`x-api-key: ${KEY}`] : []),
      'connection: close',
    ];
    await sendRaw(target.port, `${lines.join('\r\n')}\r\n\r\n`).catch(() => null);
    return target.isAlive();
  }
  const session = await openHttp2(target.port);
  if (session === null) return target.isAlive();
  await askHttp2(session, { headers: { ':path': path, ':authority': hosts[0], 'x-probe': id, ...key } }).catch(
    () => 'lost',
  );
  session.destroy();
}

function judge({ count }: Context, probe: Probe, arrived: Arrived | undefined, isRaw: boolean): void {
  count('requests');
  if (arrived === undefined) return;
  count('let through');
  if (!probe.hasKey) return holdShut(probe, arrived);
  const [path = ''] = probe.path.split('?');
  const meant = meantPath(path);
  // With Envoy's own normalisation it is not the module alone that changes the path.
  if (!isRaw || meant === null || !path.startsWith('/') || /[#\\;]|%3b/i.test(path)) return;
  const [came = ''] = arrived.path.split('?');
  hold(
    came === meant || came === asGated(meant),
    `sent with a key: ${JSON.stringify(path)}; it arrived as ${JSON.stringify(came)} and means ${JSON.stringify(meant)}`,
  );
}

/** The prefix that the policy names stands there in the policy's spelling: everybody behind reads what was judged. */
function asGated(meant: string): string {
  for (const prefix of [...GATED_PATHS, '/public']) {
    const segments = meant.split('/');
    const count = prefix.split('/').length;
    if (unescaped(segments.slice(0, count).join('/')) === prefix) return [prefix, ...segments.slice(count)].join('/');
  }
  return meant;
}

/** Letters, digits and hyphens need no escape. */
function unescaped(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
    const char = String.fromCharCode(Number.parseInt(hex, 16));
    return /[\w-]/.test(char) ? char : escape;
  });
}

function holdShut(probe: Probe, arrived: Arrived): void {
  const host = arrived.headers.find(([name]) => name === 'host')?.[1] ?? '';
  const asSent = `sent without a key, HTTP/${probe.version}: ${JSON.stringify(probe.path)} at ${JSON.stringify(probe.hosts.join(' + '))}; it arrived as ${JSON.stringify(arrived.path)} at ${JSON.stringify(host)}`;
  for (const [reader, read] of Object.entries(PATH_READERS)) {
    const path = read(arrived.path);
    hold(
      path === null || !GATED_PATHS.some((gated) => liesUnder(path, gated)),
      `${asSent}, where a gated path is read by: ${reader}`,
    );
  }
  for (const [reader, read] of Object.entries(HOST_READERS)) {
    const name = read(host);
    hold(
      name !== 'api.example.com' && name?.endsWith('.pets.example.com') !== true,
      `${asSent}, where a gated host is read by: ${reader}`,
    );
  }
}
