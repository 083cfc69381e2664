import { setFlagsFromString } from 'node:v8';
import { Refusal, type Io, Output } from './command.ts';
import type { Catalogue } from './help/catalogue.ts';

/**
 * Every command, in the order in which a newcomer needs them. A command is loaded when it is called, so `--help` loads
 * none.
 */
const commands: Catalogue = {
  init: {
    summary: 'write a small policy to begin with',
    load: async () => (await import('./init.ts')).init,
  },
  check: {
    summary: 'find everything that is wrong with a policy, with file and line',
    load: async () => (await import('./check.ts')).check,
  },
  explain: {
    summary: 'say what a policy makes of a request or of an access log, and why',
    load: async () => (await import('./explain/explain.ts')).explain,
  },
  fmt: {
    summary: 'format policies, with comments and meaning kept',
    load: async () => (await import('./fmt.ts')).fmt,
  },
  run: {
    summary: 'serve a policy with a real Envoy on this machine',
    load: async () => (await import('./run.ts')).run,
  },
  import: {
    summary: 'bring an API from an OpenAPI document into a policy, again after each change of it',
    load: async () => (await import('./import/import.ts')).importCommand,
  },
  keys: {
    summary: 'issue, rotate, revoke, list and import API keys',
    load: async () => (await import('./keys/keys.ts')).keys,
  },
  compile: {
    summary: 'print the plugin config (JSON) of a policy',
    load: async () => (await import('./compile.ts')).compile,
  },
  diff: {
    summary: 'say what a change of a policy means, per consumer, API and quota',
    load: async () => (await import('./diff.ts')).diff,
  },
  'rate-limit-service': {
    summary: "print the rate limit service's configuration for mesh-wide quotas",
    load: async () => (await import('./rateLimitService.ts')).rateLimitService,
  },
  emit: {
    summary: 'make the Istio resources that roll a policy out',
    load: async () => (await import('./emit.ts')).emit,
  },
  verify: {
    summary: 'find out whether a cluster does what a policy says; for CI',
    load: async () => (await import('./verify.ts')).verify,
  },
  status: {
    summary: 'say what a cluster holds of Tollgate, and which proxies run it',
    load: async () => (await import('./status.ts')).status,
  },
  schema: {
    summary: 'print the JSON Schema of a policy, for editors',
    load: async () => (await import('./schema.ts')).schema,
  },
  build: {
    summary: 'compile the module that runs inside Envoy',
    load: async () => (await import('./build.ts')).build,
  },
  pack: {
    summary: 'write the module as an OCI image on disk',
    load: async () => (await import('./pack.ts')).pack,
  },
  push: {
    summary: 'push the module to an OCI registry',
    load: async () => (await import('./push.ts')).push,
  },
  demo: {
    summary: 'show a real Envoy enforcing examples/petstore.policy.yaml',
    load: async () => (await import('./demo.ts')).demo,
  },
  completion: {
    summary: 'print the completion script of your shell',
    load: async () => (await import('./help/completion.ts')).completionOf(commands),
  },
  version: {
    summary: 'say which tool and which module this is',
    load: async () => (await import('./help/version.ts')).version,
  },
  help: {
    summary: 'say what a command takes',
    load: async () => (await import('./help/help.ts')).helpOf(commands, helpText()),
  },
};

function helpText(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const rows = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `tollgate: API keys, quotas and header-based routing inside Envoy

usage: tollgate COMMAND [OPTION…]

${rows.join('\n')}

  tollgate COMMAND --help    what a command takes, with examples
  tollgate --version

exit codes: 0 done, 1 the policy or a component said no, 2 wrong usage
`;
}

/** Runs one command line; resolves to the exit code. */
export async function main(args: string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h') {
    io[name === undefined ? 'err' : 'out'](helpText());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version') {
    const { packageJson } = await import('../file/packageJson.ts');
    io.out(`tollgate ${(await packageJson()).version}\n`);
    return 0;
  }
  const found = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (found === undefined) {
    const { unknownCommand } = await import('./help/meant.ts');
    io.err(`tollgate: ${unknownCommand(name, Object.keys(commands))}\n`);
    return 2;
  }
  const command = await found.load();
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(`${command.usage}\n`);
    return 0;
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    const { explainFailure } = await import('./failure.ts');
    const { text, code } = explainFailure(error, name, command.usage);
    io.err(text);
    return code;
  }
}

/**
 * The first Ctrl-C aborts the signal; the second ends the process. In a command that never asks for the signal, the first
 * does.
 */
function stopOnSignal(stop: AbortController): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(signal));
}

async function readStdin(mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Refusal(`standard input: must have at most ${mostBytes} bytes`);
  }
  return Buffer.concat(chunks);
}

function processIo(): { io: Io; output: Output } {
  const stop = new AbortController();
  let isAsked = false;
  const err = (text: string): void => void process.stderr.write(text);
  const output = new Output(process.stdout, (rule) => {
    if (rule !== null) err(`tollgate: ${rule}\n`);
    stop.abort('nobody reads standard output any more');
  });
  const io: Io = {
    out: (text) => output.write(text),
    deliver: (text) => output.deliver(text),
    err,
    stdin: readStdin,
    stdinChunks: () => process.stdin as AsyncIterable<Buffer>,
    isTerminal: process.stderr.isTTY === true && process.env['NO_COLOR'] === undefined,
    get signal() {
      if (!isAsked) stopOnSignal(stop);
      isAsked = true;
      return stop.signal;
    },
  };
  return { io, output };
}

const NEWEST_V8 = 13;

/**
 * Less garbage than there is data, instead of three times as much: V8 goes by the machine's memory, and a large policy
 * may be checked beside other things. Later versions of V8 may not know the flag, and would say so.
 */
function boundHeap(): void {
  if (Number.parseInt(process.versions.v8, 10) <= NEWEST_V8) setFlagsFromString('--heap-growing-percent=80');
}

/** The program: command line in, exit code out. */
export async function start(): Promise<void> {
  boundHeap();
  // Nobody reads standard error any more: the command still does its work.
  process.stderr.on('error', () => undefined);
  const { io, output } = processIo();
  process.exitCode = output.exitCode(await main(process.argv.slice(2), io));
}
