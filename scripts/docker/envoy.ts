import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DockerError } from './error.ts';
import { type FoundEnvoy, NEWEST_WHEEL, versionIn } from '../envoy/find.ts';
import { EnvoyProcess } from '../envoy/process.ts';
import { DockerContainer, type ContainerPlan, removeLeftovers, THIS_MACHINE } from './container.ts';
import { DOCKER, engineFacts, provideImage, reasonIn } from './engine.ts';

export const IMAGE = `envoyproxy/envoy:v${NEWEST_WHEEL}`;

/** An engine that answers later is announced: it may be asleep, or not there at all. */
const LATE_MS = 3000;

interface DockerOptions {
  image?: string;
  signal?: AbortSignal;
  progress?: (text: string) => void;
}

/**
 * Envoy from its image: on this machine's network where the engine can have it, so that ports and upstreams mean the same as
 * without docker, and otherwise with ports published on loopback.
 */
export async function dockerEnvoy({
  image = IMAGE,
  signal,
  progress = () => undefined,
}: DockerOptions = {}): Promise<FoundEnvoy> {
  if (process.platform === 'win32')
    throw new DockerError('docker: Tollgate drives docker from Linux and macOS; on Windows run it inside WSL');
  const late = setTimeout(() => progress('waiting for the docker engine to answer'), LATE_MS);
  const { isRootless } = await engineFacts(signal).finally(() => clearTimeout(late));
  await removeLeftovers(signal);
  await provideImage(image, progress, signal);
  const user = isRootless ? '0:0' : `${process.getuid!()}:${process.getgid!()}`;
  const { plan, version } = await workingPlan({ image, user }, progress, signal);
  return {
    command: DOCKER,
    version,
    source: 'docker',
    prefix: () => [],
    container: (folder, ports) => DockerContainer.plan(plan, folder, ports),
  };
}

/** The first plan under which an Envoy runs and is reached. */
async function workingPlan(
  of: Omit<ContainerPlan, 'network'>,
  progress: (text: string) => void,
  signal?: AbortSignal,
): Promise<{ plan: ContainerPlan; version: string }> {
  let failure: string | null = null;
  for (const network of ['host', 'published'] as const) {
    const plan = { ...of, network };
    const trial = await tryContainer(plan, signal);
    if (signal?.aborted) throw new DockerError('docker: was stopped');
    if (trial.version !== null) {
      if (network === 'published') progress(aboutPublished(trial.reachesHere));
      return { plan, version: trial.version };
    }
    failure = trial.failure;
  }
  throw new DockerError(failure === null ? UNREACHED : `docker: cannot run ${of.image}: ${failure}${hintOn(failure)}`);
}

const UNREACHED =
  "docker: the engine runs Envoy where 127.0.0.1 of this machine does not lead, neither on the host's network nor through published ports; " +
  'take an engine of this machine ("docker context ls" shows which one is asked), or run without --docker';

function aboutPublished(reachesHere: boolean): string {
  const ports = 'the engine has a network of its own: ports are published on 127.0.0.1';
  return reachesHere
    ? `${ports}, and upstreams on 127.0.0.1 are reached as ${THIS_MACHINE}`
    : `${ports}; its containers do not reach 127.0.0.1 of this machine (as ${THIS_MACHINE}), so upstreams there will answer 503 (docs/docker.md)`;
}

/** docker's message names the folder, but not what to do. */
function hintOn(failure: string): string {
  if (!/mount|bind source|not shared|Invalid path|unable to read|permission denied/i.test(failure)) return '';
  return '\nthe engine must see the folder: TMPDIR names another for it, and an engine on another machine sees none';
}

/** What became of an Envoy with next to no configuration: it was reached, or why not. */
type Trial =
  | {
      readonly version: string;
      /** Envoy reaches what listens on this machine's loopback. */ readonly reachesHere: boolean;
    }
  | {
      readonly version: null;
      /** docker's or Envoy's words; null: it ran, but could not be reached. */ readonly failure: string | null;
    };

const TIMEOUT_MS = 30_000;
/** How long an Envoy that is known to run may take to answer. */
const UNREACHED_MS = 2000;
const POLL_MS = 25;

/**
 * Starts an Envoy as the plan says and finds out whether this machine and its container reach each other. The name of a
 * product does not tell: Docker Desktop, a rootless engine, one in a virtual machine or behind a forwarded socket all
 * have a network of their own, and some can be told to share the host's.
 */
async function tryContainer(plan: ContainerPlan, signal?: AbortSignal): Promise<Trial> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-trial-'));
  const server = await answering(folder);
  const container = await DockerContainer.plan(plan, folder, { port: 0, adminPort: 0 });
  const lines: string[] = [];
  try {
    await writeFile(
      join(folder, 'bootstrap.json'),
      JSON.stringify(trialBootstrap(container, (server.address() as AddressInfo).port)),
    );
    const child = new EnvoyProcess({
      envoy: { command: DOCKER, prefix: () => [] },
      container,
      folder,
      concurrency: 1,
      onAccess: () => undefined,
      onLog: (line) => lines.push(line),
    });
    const stop = (): void => void child.stop();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const found = await reached(child, folder);
      if (found === null) return { version: null, failure: null };
      return {
        version: found.version,
        reachesHere: plan.network === 'host' || (await reachesHere(container.published!.port, folder)),
      };
    } catch {
      return { version: null, failure: reasonIn(lines) || 'it ended without a message' };
    } finally {
      signal?.removeEventListener('abort', stop);
      await child.stop();
    }
  } finally {
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Null when Envoy runs but its admin interface cannot be reached; throws when it has ended. */
async function reached(child: EnvoyProcess, folder: string): Promise<{ version: string } | null> {
  let ended = false;
  void child.ended.then(() => (ended = true));
  let opened: number | null = null;
  const deadline = Date.now() + TIMEOUT_MS;
  while (Date.now() < deadline && (opened === null || Date.now() < opened + UNREACHED_MS)) {
    const port = await child.adminPort();
    if (port !== null) {
      opened ??= Date.now();
      const version = ownVersion(await page(port, '/server_info'), folder);
      if (version !== null) return { version };
    }
    if (ended) throw new Error('ended');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return null;
}

/** Another program, or another Envoy, may answer on the same port of this machine. */
function ownVersion(body: string, folder: string): string | null {
  return body.includes(`"${join(folder, 'bootstrap.json')}"`)
    ? versionIn(`version: ${/"version": "([^"]+)"/.exec(body)?.[1] ?? ''}`)
    : null;
}

/** Envoy's own answer that the upstream is not there counts if it stays; where there is no answer yet, one may still come. */
async function reachesHere(port: number, folder: string): Promise<boolean> {
  const deadline = Date.now() + TIMEOUT_MS;
  let refused: number | null = null;
  while (Date.now() < deadline && (refused === null || Date.now() < refused + UNREACHED_MS)) {
    const body = await page(port, '/');
    if (body === folder) return true;
    if (body !== '') refused ??= Date.now();
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return false;
}

/** Body of a page on this machine, or an empty string. */
function page(port: number, path: string): Promise<string> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, timeout: 5000, agent: false }, (response) => {
      let body = '';
      response
        .setEncoding('utf8')
        .on('data', (text: string) => (body += text))
        .on('end', () => resolve(body))
        .on('error', () => resolve(''));
    });
    request.on('error', () => resolve('')).on('timeout', () => request.destroy());
  });
}

function answering(text: string): Promise<Server> {
  const server = createServer((_, response) => response.end(text));
  return new Promise((resolve, reject) => server.on('error', reject).listen(0, '127.0.0.1', () => resolve(server)));
}

function trialBootstrap(container: DockerContainer, here: number): object {
  const { listen = '127.0.0.1', port = 0, adminPort = 0 } = container.inside ?? {};
  const address = (host: string, at: number): object => ({ socket_address: { address: host, port_value: at } });
  const routes = {
    virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'here' } }] }],
  };
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'trial',
    route_config: routes,
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  };
  return {
    admin: { address: address(listen, adminPort), allow_paths: [{ exact: '/server_info' }] },
    static_resources: {
      listeners: [
        {
          name: 'trial',
          address: address(listen, port),
          filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
        },
      ],
      clusters: [
        {
          name: 'here',
          type: 'LOGICAL_DNS',
          dns_lookup_family: 'ALL',
          connect_timeout: '1s',
          load_assignment: {
            cluster_name: 'here',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(container.reached('localhost'), here) } }] }],
          },
        },
      ],
    },
  };
}
