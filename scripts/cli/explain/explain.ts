import { parseArgs } from 'node:util';
import { currentModule } from '../../build/module.ts';
import { inputName, isReadTwice, openPolicy } from '../../file/openPolicy.ts';
import { decode, readBounded, Unreadable } from '../../file/read.ts';
import { MAX_TIME_MS } from '../../explain/engine.ts';
import { claimsIn, parseClaims, parsePeer, parseWorkload, type ExplainedCaller } from '../../explain/caller.ts';
import { parseHeader, parseRequest } from '../../explain/request.ts';
import type { Pair } from '../../host/stream.ts';
import { epochSeconds } from '../../policy/index.ts';
import { Refusal, UsageError, type Command, type Io } from '../command.ts';

const usage = `tollgate explain: says what a policy makes of a request, or of all requests of an access log, and why

usage: tollgate explain POLICY --request REQUEST [--header HEADER]… [--peer ADDRESS] [--workload ID]
                               [--token-claim NAME=VALUE]… [--token-claims JSON] [--at TIME] [--json]
       tollgate explain POLICY --from FILE [--as CONSUMER] [--host HOST] [--exit-code] [--json]

The module itself decides, the one that runs in Envoy, here in Node: nothing is started and nothing is sent. POLICY is a file or a
folder; - is standard input.

One request: how its path and host are read, which API covers it, what a page on its origin may do (cors), how the API stands in its
life, which operation it is and what that needs, by what the caller is known (a key, a workload, a token), from where it calls, whose it
is or with whom it is counted, the plan and why that one, each quota, the route and why that one, what the upstream gets, and the
answer. The key is printed nowhere.

  --request REQUEST  'METHOD https://HOST/PATH', sent as it stands, nothing normalised; without a method: GET
  --header HEADER    'NAME: VALUE', as often as needed. @FILE reads headers from a file, one a line, and @- from standard input,
                     so that a key stands neither in the shell's history nor in the list of processes
  --peer ADDRESS     who connects to Envoy, which appends it to x-forwarded-for; headers have what proxies before it wrote there.
                     Default: this machine, appended to nothing
  --workload ID      the SPIFFE id in the certificate that the peer shows, as if Envoy had verified it
  --token-claim NAME=VALUE  what a token says, as if Envoy had verified it: one claim, a string; given twice, a list
  --token-claims JSON       all of its claims; @FILE reads them from a file and @- from standard input. Never the token itself
  --at TIME          when, such as 2026-01-31T12:00:00Z (default: now). All counters are at zero then

A log: who would have been refused, and why, by consumer, API and reason. Each request is decided at the time of its line, with all
counters at zero before the first. Reads the JSON of "tollgate run --json", Istio's default JSON and text formats, those of
docs/access-log.md, and any of them gzipped. A log holds no keys: callers are the consumers that it names.

  --from FILE        the access log; - is standard input
  --as CONSUMER      who called where the log does not say; without it, such requests are judged without a key
  --host HOST        the host of lines that name none
  --exit-code        exit code 1 when a request would be refused that had passed

  --json             prints the same as an object

Exit code: of a request 0 allowed or answered, 1 refused; of a log 0 when it was read. 1 too when the policy or the log cannot be used,
2 wrong usage.

examples:
  tollgate explain petstore.policy.yaml --request 'GET https://api.example.com/v1/pets/7' --header @key.txt
  printf 'x-api-key: %s' "$KEY" | tollgate explain petstore.policy.yaml --request 'POST https://api.example.com/v1' --header @-
  tollgate explain petstore.policy.yaml --request https://api.example.com/v1 --peer 203.0.113.7
  tollgate explain shop.policy.yaml --request https://api.example.com/cart --workload spiffe://cluster.local/ns/shop/sa/web
  tollgate explain shop.policy.yaml --request https://api.example.com/cart --token-claim iss=https://idp.example.com --token-claim sub=7
  tollgate explain petstore.policy.yaml --request https://api.example.com/v1 --at 2027-01-01T00:00:00Z --json | jq -r .reason
  tollgate explain next.policy.yaml --from access.log
  kubectl logs -n istio-ingress deploy/gateway | tollgate explain next.policy.yaml --from - --json | jq '.rows[]'`;

/** A file of headers, or of claims, is small: Envoy takes 60 KiB. */
const MAX_HEADER_FILE_BYTES = 256 * 1024;

export const explain: Command = {
  usage,
  run: async (args, io) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        request: { type: 'string' },
        header: { type: 'string', multiple: true, default: [] },
        peer: { type: 'string' },
        workload: { type: 'string' },
        'token-claim': { type: 'string', multiple: true, default: [] },
        'token-claims': { type: 'string' },
        at: { type: 'string' },
        from: { type: 'string' },
        as: { type: 'string' },
        host: { type: 'string' },
        'exit-code': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    const { request, header, at, from, as, host, json, peer, workload } = values;
    const { 'token-claim': claim, 'token-claims': claims } = values;
    const [file, ...more] = positionals;
    // an argument too many may be a key, so it is not repeated
    if (file === undefined || more.length > 0)
      throw new UsageError(`takes one POLICY; found ${positionals.length} arguments`);
    const files = [...header, claims ?? ''].filter((one) => one.startsWith('@')).map((one) => one.slice(1));
    if (isReadTwice([file, from ?? '', ...files]))
      throw new UsageError('- may stand once only: standard input is read once');
    if (request !== undefined && from === undefined) {
      if (as !== undefined || host !== undefined || values['exit-code'])
        throw new UsageError('--as, --host and --exit-code go with --from');
      if (claims !== undefined && claim.length > 0)
        throw new UsageError('takes --token-claim or --token-claims, not both');
      const caller = { peer, workload, claim, claims };
      const atMs = at === undefined ? Date.now() : timeOf(at);
      return explainRequest(file, { request, header, caller, atMs, json }, io);
    }
    if (from === undefined || request !== undefined)
      throw new UsageError('needs either --request, or --from and an access log');
    if (header.length > 0 || at !== undefined) throw new UsageError('--header and --at go with --request');
    if (peer !== undefined || workload !== undefined || claim.length > 0 || claims !== undefined)
      throw new UsageError('--peer, --workload, --token-claim and --token-claims go with --request');
    const { explainLog } = await import('./explainLog.ts');
    const { policy } = await openPolicy(file, io.stdin);
    const options = { from, caller: as ?? null, host: host ?? null, json, setsExitCode: values['exit-code'] };
    return explainLog(policy, await currentModule(() => io.err('tollgate: building the module\n')), options, io);
  },
};

interface RequestOptions {
  readonly request: string;
  readonly header: readonly string[];
  readonly caller: CallerOptions;
  readonly atMs: number;
  readonly json: boolean;
}

/** As they were given. */
interface CallerOptions {
  readonly peer: string | undefined;
  readonly workload: string | undefined;
  readonly claim: readonly string[];
  readonly claims: string | undefined;
}

async function callerOf({ peer, workload, claim, claims }: CallerOptions, io: Io): Promise<ExplainedCaller> {
  const said = claims === undefined ? claim.length > 0 && claimsIn(claim) : await claimsOf(claims, io);
  return {
    ...(peer !== undefined && { peer: parsePeer(peer) }),
    ...(workload !== undefined && { workload: parseWorkload(workload) }),
    ...(said && { claims: said }),
  };
}

async function claimsOf(given: string, io: Io): Promise<NonNullable<ExplainedCaller['claims']>> {
  if (!given.startsWith('@')) return parseClaims(given, '--token-claims');
  const { name, text } = await textOf(given.slice(1), 'claims', io);
  return parseClaims(text, `--token-claims: ${name}`);
}

async function explainRequest(file: string, options: RequestOptions, io: Io): Promise<number> {
  const { request, header, atMs, json } = options;
  const headers: Pair[] = [];
  for (const one of header)
    headers.push(...(one.startsWith('@') ? await headersIn(one.slice(1), io) : [parseHeader(one, '--header')]));
  const sent = parseRequest(request, headers, await callerOf(options.caller, io));
  const { policy } = await openPolicy(file, io.stdin);
  const { loadModule } = await import('../../host/abi.ts');
  const { tellStory } = await import('../../explain/story.ts');
  const { printStory, storyJson } = await import('./printStory.ts');
  const story = tellStory(
    policy,
    loadModule((await currentModule(() => io.err('tollgate: building the module\n'))).path),
    sent,
    atMs,
  );
  io.out(json ? storyJson(story) : printStory(story, io.isTerminal));
  return story.outcome === 'refused' ? 1 : 0;
}

/** The headers in a file or in standard input. Errors name the line and never what stands there. */
async function headersIn(file: string, io: Io): Promise<Pair[]> {
  const { name, text } = await textOf(file, 'headers', io);
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .flatMap((line, index) => (line.trim() === '' ? [] : [parseHeader(line, `${name}:${index + 1}: a header`)]));
}

async function textOf(file: string, what: string, io: Io): Promise<{ name: string; text: string }> {
  const name = inputName(file);
  const decoded = decode(await bytesOf(file, what, io));
  if ('rule' in decoded) throw new Refusal(`${name}${decoded.line > 0 ? `:${decoded.line}` : ''}: ${decoded.rule}`);
  return { name, text: decoded.text };
}

async function bytesOf(file: string, what: string, io: Io): Promise<Uint8Array> {
  if (file === '-') {
    if (process.stdin.isTTY) io.err(`reading ${what} from the terminal, where they show. Ctrl-D ends it\n`);
    return io.stdin(MAX_HEADER_FILE_BYTES);
  }
  try {
    return await readBounded(file, MAX_HEADER_FILE_BYTES);
  } catch (error) {
    if (error instanceof Unreadable) throw new Refusal(`${file}: ${error.message}`);
    throw error;
  }
}

function timeOf(text: string): number {
  const [, fraction = ''] = /:\d\d\.(\d{1,9})/.exec(text) ?? [];
  const seconds = epochSeconds(fraction === '' ? text : text.replace(`.${fraction}`, ''));
  const ms = seconds === null ? NaN : seconds * 1000 + Number(`0.${fraction || 0}`) * 1000;
  if (!(ms < MAX_TIME_MS)) throw new UsageError('--at must be a time such as 2026-01-31T00:00:00Z, from 1970 to 2199');
  return Math.floor(ms);
}
