import { stat } from 'node:fs/promises';
import { parseArgs, styleText } from 'node:util';
import { Cluster } from '../cluster/cluster.ts';
import { kubectlForward } from '../cluster/forward.ts';
import { kubectl } from '../cluster/kubectl.ts';
import { readFolder } from '../file/folder.ts';
import { openPolicy } from '../file/openPolicy.ts';
import { isHost } from '../oci/reference.ts';
import { visibleName } from '../policy/secret.ts';
import { entryOf, readDocument } from '../policy/yaml/document.ts';
import { PolicyProblems } from '../policy/yaml/readPolicy.ts';
import { AREAS, type Area, type Observation } from '../verify/observation.ts';
import { type PolicyReport, type Subject, verify as verifyCluster } from '../verify/verify.ts';
import { type Command, type Io, UsageError, wholeNumber } from './command.ts';
import { Progress } from './push.ts';
import { proxyText, proxyJson, SIGNS } from './status.ts';

const MOST_PROXIES = 20;
const MOST = 10_000;

const usage = `tollgate verify: finds out whether a cluster does what a policy says, and changes nothing

usage: tollgate verify DIR [OPTION…]
       tollgate verify POLICY [--image URL] [--pull-secret NAME] [OPTION…]

  DIR                   what "tollgate emit" wrote and was applied: every field is compared with it
  POLICY                a policy, a file or a folder; - reads standard input. Image, pull secret, fail strategy and priority are taken
                        as the cluster has them; with --image and --pull-secret also before anything is applied
  --image URL           the module's image, as for "tollgate emit"
  --pull-secret NAME    the Secret to pull it with
  --skip WHAT           leaves out one of resources, targets, routing, image, proxies, traffic; several times
  --context NAME        the kubeconfig's context; default: the current one
  --metrics-only        reads the proxies' metrics and forwards no port, so that the right to do that is not needed
  --proxies N           asks at most N proxies for each plugin (default ${MOST_PROXIES})
  --root-namespace NS   Istio's root namespace (default istio-system)
  --timeout SECONDS     how long one question to the cluster may take (default 30)
  --allow-host HOST     the registry may name this host as its token service; several times
  --plain-http          use http without TLS for the registry; without this option, only for loopback
  --json                prints { policies, problems, unseen } instead

What it looks at, with kubectl and the rights of your kubeconfig:
  resources  the emitted objects are there, hold what they should (fields patched by hand), and there are no others
  targets    the gateways, namespaces, waypoints and services exist; pods are selected, and have a proxy
  routing    a VirtualService or HTTPRoute reads x-tollgate-route and has every route; Istio accepted our HTTPRoutes
  image      the registry hands out all of the image with the Secret that is named, which is never printed
  proxies    policy digest, module version and image that each proxy runs; a config that it refused, an image that it lacks
  traffic    probes and load balancers' health checks that the policy would refuse, as the module itself decides; what the mesh
             takes out of paths in which slashes are data

Exit code: 0 all is well, 1 there are problems (or the policy itself has), 2 something could not be looked at, and says why;
--skip leaves it out. docs/verify.md has the role that is needed.

examples:
  tollgate verify wasmplugins/petstore
  tollgate verify petstore.policy.yaml --image "$IMAGE" --pull-secret registry    # before it is applied
  tollgate verify wasmplugins/petstore --metrics-only --skip image --json`;

export const verify: Command = {
  usage,
  run: async (args, io) => {
    const { options, target, emitted } = parse(args);
    const progress = new Progress((line) => io.err(`${line}\n`));
    try {
      const subject = await subjectOf(target, emitted, io);
      progress.say('asking the cluster');
      const { context, timeoutSeconds } = options;
      const cluster = await Cluster.connect(
        kubectl({ context, timeoutSeconds, signal: io.signal }),
        kubectlForward(context, io.signal),
      );
      const reports = await verifyCluster(subject, cluster, { ...options, signal: io.signal, note: progress.say });
      progress.stop();
      return print(reports, options.json, io);
    } finally {
      progress.stop();
    }
  },
};

type Emitted = { readonly image: string; readonly pullSecret?: string } | null;

async function subjectOf(target: string, emitted: Emitted, io: Io): Promise<Subject> {
  if (target === '-' || !(await isFolder(target)) || (await isPolicy(target))) {
    const { policy, name } = await openPolicy(target, io.stdin);
    return { policy, source: name, emitted };
  }
  if (emitted !== null) throw new UsageError('--image and --pull-secret go with a POLICY; a DIR says them itself');
  return { folder: target };
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() === true;
}

/** A folder with a file that says of which policy it is part; what was emitted holds resources of Kubernetes. */
async function isPolicy(folder: string): Promise<boolean> {
  const files = await readFolder(folder).catch((error: unknown) => {
    if (error instanceof PolicyProblems) return [];
    throw error;
  });
  return files.some(({ text }) => entryOf(readDocument(text).root ?? undefined, 'policy') !== undefined);
}

function parse(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      image: { type: 'string' },
      'pull-secret': { type: 'string' },
      skip: { type: 'string', multiple: true, default: [] },
      context: { type: 'string' },
      'metrics-only': { type: 'boolean', default: false },
      proxies: { type: 'string' },
      'root-namespace': { type: 'string', default: 'istio-system' },
      timeout: { type: 'string' },
      'allow-host': { type: 'string', multiple: true, default: [] },
      'plain-http': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [target, ...more] = positionals;
  if (target === undefined || more.length > 0)
    throw new UsageError(`takes one DIR or POLICY; found ${positionals.length}`);
  const { image, 'pull-secret': pullSecret } = values;
  if (pullSecret !== undefined && image === undefined) throw new UsageError('--pull-secret goes with --image');
  for (const host of values['allow-host'])
    if (!isHost(host)) throw new UsageError(`--allow-host is a host such as auth.example.com; found "${host}"`);
  return {
    target,
    emitted: image === undefined ? null : { image, ...(pullSecret !== undefined && { pullSecret }) },
    options: {
      skipped: values.skip.map(areaOf),
      context: values.context,
      dumps: !values['metrics-only'],
      mostProxies: wholeNumber('--proxies', values.proxies, 1, MOST) ?? MOST_PROXIES,
      rootNamespace: values['root-namespace'],
      timeoutSeconds: wholeNumber('--timeout', values.timeout, 1, 600) ?? 30,
      allowedHosts: values['allow-host'],
      plainHttp: values['plain-http'],
      json: values.json,
    },
  };
}

function areaOf(text: string): Area {
  const area = AREAS.find((known) => known === text);
  if (area === undefined) throw new UsageError(`--skip is one of ${AREAS.join(', ')}; found "${text}"`);
  return area;
}

function print(reports: readonly PolicyReport[], json: boolean, io: Io): number {
  const count = (kind: Observation['kind']): number =>
    reports.reduce((sum, { findings }) => sum + findings.filter((one) => one.kind === kind).length, 0);
  const [problems, unseen] = [count('problem'), count('unseen')];
  if (json) {
    const policies = reports.map(({ plugins, ...report }) => ({ ...report, plugins: plugins.map(proxyJson) }));
    io.out(`${JSON.stringify({ policies, problems, unseen }, null, 2)}\n`);
  } else {
    for (const report of reports) printReport(report, io);
    const total = [counted(problems, 'problem'), ...(unseen > 0 ? [`${counted(unseen, 'thing')} not looked at`] : [])];
    io.out(`${problems + unseen === 0 ? 'all is well' : total.join(', ')}\n`);
  }
  return problems > 0 ? 1 : unseen > 0 ? 2 : 0;
}

function printReport({ policy, source, resources, plugins, findings }: PolicyReport, io: Io): void {
  io.out(`policy ${policy}: ${counted(resources, 'resource')} of ${visibleName(source)}\n`);
  for (const plugin of plugins) io.out(`${proxyText(plugin)}\n`);
  for (const { kind, object, text } of [...findings].sort((a, b) => ORDER[a.kind] - ORDER[b.kind])) {
    const line = `${SIGNS[kind]}${object}: ${text}`;
    io.out(`${io.isTerminal && kind !== 'notice' ? styleText(kind === 'problem' ? 'red' : 'yellow', line) : line}\n`);
  }
}

const ORDER: Record<Observation['kind'], number> = { problem: 0, unseen: 1, notice: 2 };

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
