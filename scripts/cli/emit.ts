import { join } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { Refusal, UsageError, type Command, type Io, compileTime, wholeNumber } from './command.ts';
import { filesIn, planOf, write, type PlannedFile } from '../istio/folder.ts';
import { formerIn } from '../istio/former.ts';
import { type EmitOptions, emitResources } from '../istio/index.ts';
import { noticesOf } from '../istio/notice.ts';
import { FAIL_STRATEGIES } from '../istio/plugin.ts';
import { openPolicy } from '../file/openPolicy.ts';
import { printWarnings, type Policy } from '../policy/index.ts';

const KINDS = ['WasmPlugin', 'TrafficExtension'] as const;
const STAGES = ['tables', 'plugins'] as const;
const ROUTES = ['VirtualService', 'HTTPRoute'] as const;
const MOST_INT32 = 2_147_483_647;

const usage = `tollgate emit: makes the Istio resources that roll a policy out

usage: tollgate emit POLICY --image oci://HOST/REPOSITORY@sha256:DIGEST -o DIR [OPTION…]

  POLICY                a policy with targets, a file or a folder; - reads standard input
  --image URL           the module's image, with its digest: "tollgate push" prints it
  -o, --out DIR         where to write, one resource in a file; - prints them all as one YAML stream
  --kind WasmPlugin|TrafficExtension
                        default: WasmPlugin. TrafficExtension: where the mesh has it, as Istio 1.31 does
  --fail-strategy FAIL_RELOAD|FAIL_CLOSE|FAIL_OPEN
                        FAIL_RELOAD (default): without the module requests are refused, and a VM that died is replaced.
                        FAIL_CLOSE: it stays dead until the next change. FAIL_OPEN: requests are let through
  --routes VirtualService|HTTPRoute
                        refused if a target cannot read it. Default: what each target reads
  --pull-secret NAME    the Secret to pull the image with, in the namespace of each target
  --priority N          place among other plugins of phase AUTHN, the highest first (default 10)
  --only TARGET         only this target; may be given several times. A target's name is the last part of its resource's
                        name, such as gateway-ingressgateway; NAMESPACE/sidecars where several namespaces have sidecars.
                        rate-limit-service: only that service's ConfigMap
  --stage tables|plugins
                        only the tables (and what they need), or only the plugins: for a tool that applies in no order of
                        its own, a folder for each (docs/istio.md)
  --label NAME=VALUE    a label of your own on every resource; several times. Tollgate's and Kubernetes' own are refused
  --annotation NAME=VALUE
                        an annotation of your own on every resource; several times
  --sync-waves N        Argo CD's waves: N for what tables and plugins need (subsets, the rate limit service's ConfigMap), N+1 for
                        tables, N+2 for plugins; pruning goes in reverse. Without it, plugins are in wave 1, all else in 0
  --kustomization       a kustomization.yaml too, which lists all that was emitted to DIR, for "kubectl apply -k DIR", Argo CD
                        and Flux; once it is there, every emit keeps it true
  --forget              drops the routes and subsets that earlier tables in DIR had, and counters of earlier modules: once the
                        new plugin is in force everywhere, nothing needs them (at most 100 are kept)
  --at TIME             for policies with calendars: time zones for the years around this time, such as 2026-01-31T00:00:00Z.
                        Default: $SOURCE_DATE_EPOCH (seconds since 1970), else now
  --check               writes nothing; exit code 1 when DIR is not what would be written
  --json                prints what was done as JSON

The files' names say the order in which "kubectl apply -f DIR" takes them: a routing table before the plugin that needs it. A
table keeps the routes that the one in DIR had, because plugin and table reach the proxies at different moments; so write into
the folder that was applied before. The same policy, options and folder give the same bytes (with
calendars: in one year). Files of an earlier emit of the same
policy that are no longer needed are removed; files that tollgate did not write are never touched. For mesh-wide quotas there
is a ConfigMap too, which the rate limit service reads (examples/ratelimit).
Exit code: 0 done, 1 the policy has problems or --check found differences.

examples:
  tollgate emit petstore.policy.yaml --image "$(tollgate push oci://registry.example/tollgate)" -o wasmplugins/
  tollgate emit petstore.policy.yaml --image oci://registry.example/tollgate@sha256:… -o - | kubectl apply --server-side -f -
  tollgate emit petstore.policy.yaml --image oci://registry.example/tollgate@sha256:… -o wasmplugins/ --check
  tollgate emit petstore.policy.yaml --image oci://registry.example/tollgate@sha256:… -o apps/petstore/ --kustomization \\
    --sync-waves 0 --label team=payments --annotation example.com/contact=api@example.com

What each target becomes, how to roll out and back: docs/istio.md.`;

export const emit: Command = {
  usage,
  run: async (args, io) => {
    const options = parse(args);
    const opened = await openPolicy(options.file, io.stdin);
    const { policy, name } = opened;
    if (policy.targets.length === 0)
      throw new Refusal(`${name}: targets: must hold a target: where on Istio is the policy to be enforced`);
    const former = options.out === '-' || options.forget ? [] : formerIn(await filesIn(options.out), policy.policy);
    const files = emitResources(policy, options, former).filter(
      ({ stage }) => options.stage === undefined || stage === options.stage,
    );
    const notices = noticesOf(policy, options, files);
    const warnings = printWarnings(opened);
    warn([...warnings, ...notices.map((notice) => `tollgate: warning: ${notice}`)], io);
    if (options.out === '-') {
      io.out(files.map(({ text }) => `---\n${text}`).join(''));
      return 0;
    }
    const plan = await planOf(
      options.out,
      files,
      policy.policy,
      (name) => covers(options, name),
      options.kustomization,
    );
    if (!options.check) await write(options.out, plan);
    print(policy, options, plan, [...warnings, ...notices], io);
    return options.check && plan.some(({ change }) => change !== 'unchanged') ? 1 : 0;
  },
};

/** Whether a file would be among those written, had it its place in the policy. */
function covers({ only, stage }: Options, name: string): boolean {
  const isPlugin = /(?:^|-)(?:wasmplugin|trafficextension)\./.test(name);
  return only === undefined && (stage === undefined || (stage === 'plugins') === isPlugin);
}

interface Options extends EmitOptions {
  readonly file: string;
  readonly out: string;
  /** Drops what earlier tables had. */
  readonly forget: boolean;
  readonly stage: (typeof STAGES)[number] | undefined;
  readonly kustomization: boolean;
  readonly check: boolean;
  readonly json: boolean;
}

function parse(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      image: { type: 'string' },
      out: { type: 'string', short: 'o' },
      kind: { type: 'string' },
      'fail-strategy': { type: 'string' },
      routes: { type: 'string' },
      'pull-secret': { type: 'string' },
      priority: { type: 'string' },
      at: { type: 'string' },
      only: { type: 'string', multiple: true },
      stage: { type: 'string' },
      label: { type: 'string', multiple: true, default: [] },
      annotation: { type: 'string', multiple: true, default: [] },
      'sync-waves': { type: 'string' },
      kustomization: { type: 'boolean', default: false },
      forget: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError(`takes one POLICY; found ${positionals.length}`);
  if (values.image === undefined) throw new UsageError('needs --image');
  if (values.out === undefined) throw new UsageError('needs -o DIR');
  if (values.out === '-' && (values.check || values.json || values.kustomization))
    throw new UsageError('-o - prints YAML; --check, --json and --kustomization need a DIR');
  const secret = values['pull-secret'];
  if (secret !== undefined && !/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.test(secret))
    throw new UsageError(`--pull-secret is the name of a Secret; found "${secret}"`);
  return {
    file,
    out: values.out,
    image: values.image,
    forget: values.forget,
    kustomization: values.kustomization,
    labels: pairs('--label', values.label),
    annotations: pairs('--annotation', values.annotation),
    firstWave: integer('--sync-waves', values['sync-waves']),
    check: values.check,
    json: values.json,
    pullSecret: secret,
    only: values.only,
    atSeconds: compileTime(values.at),
    kind: oneOf('--kind', values.kind, KINDS),
    stage: oneOf('--stage', values.stage, STAGES),
    failStrategy: oneOf('--fail-strategy', values['fail-strategy'], FAIL_STRATEGIES),
    routes: oneOf('--routes', values.routes, ROUTES),
    priority: wholeNumber('--priority', values.priority, 0, MOST_INT32) ?? undefined,
  };
}

/** `NAME=VALUE`, several times; the last of a name counts. */
function pairs(option: string, given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text): [string, string] => {
      const at = text.indexOf('=');
      if (at < 1) throw new UsageError(`${option} is NAME=VALUE; found "${text}"`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** Waves may be negative. */
function integer(option: string, text: string | undefined): number | undefined {
  if (text !== undefined && !/^-?\d{1,6}$/.test(text))
    throw new UsageError(`${option} is a number such as 0 or -5; found "${text}"`);
  return text === undefined ? undefined : Number(text);
}

function oneOf<T extends string>(option: string, text: string | undefined, values: readonly T[]): T | undefined {
  const value = values.find((known) => known === text);
  if (text !== undefined && value === undefined)
    throw new UsageError(`${option} is ${values.join(' or ')}; found "${text}"`);
  return value;
}

function warn(lines: readonly string[], io: Io): void {
  for (const line of lines) io.err(`${io.isTerminal ? styleText('yellow', line) : line}\n`);
}

function print(
  policy: Policy,
  options: Options,
  plan: readonly PlannedFile[],
  warnings: readonly string[],
  io: Io,
): void {
  if (options.json) {
    const files = plan.map(({ name, change, text, emitted }) => ({
      file: join(options.out, name),
      change,
      ...(text !== null && { bytes: Buffer.byteLength(text) }),
      ...(emitted && {
        kind: emitted.resource.kind,
        namespace: emitted.resource.metadata.namespace,
        name: emitted.resource.metadata.name,
        objectBytes: emitted.bytes,
      }),
    }));
    io.out(`${JSON.stringify({ policy: policy.policy, image: options.image, files, warnings }, null, 2)}\n`);
    return;
  }
  for (const { name, change, text } of plan) {
    const word = change === 'stale' && !options.check ? 'removed' : change;
    io.out(
      `${word.padEnd(9)} ${join(options.out, name)}${text === null ? '' : ` (${Buffer.byteLength(text)} bytes)`}\n`,
    );
  }
}
