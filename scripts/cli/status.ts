import { parseArgs } from 'node:util';
import { Cluster } from '../cluster/cluster.ts';
import { kubectlForward } from '../cluster/forward.ts';
import { kubectl } from '../cluster/kubectl.ts';
import { type ClusterStatus, type PolicyStatus, status as statusOf } from '../verify/status.ts';
import type { Observation } from '../verify/observation.ts';
import type { PluginReport } from '../verify/verify.ts';
import { type Command, type Io, UsageError, wholeNumber } from './command.ts';
import { Progress } from './push.ts';

const MOST_PROXIES = 20;
const MOST = 10_000;

const usage = `tollgate status: says what a cluster holds of Tollgate, and which proxies run it

usage: tollgate status [POLICY…] [OPTION…]

  POLICY                names of policies, as in their field "policy"; default: all
  -n, --namespace NAME  only plugins of this namespace; several times. Needed where you may not look into all
  --context NAME        the kubeconfig's context; default: the current one
  --metrics-only        reads the proxies' metrics and forwards no port, so images are not told
  --proxies N           asks at most N proxies for each plugin (default ${MOST_PROXIES})
  --root-namespace NS   Istio's root namespace (default istio-system)
  --timeout SECONDS     how long one question to the cluster may take (default 30)
  --json                prints { policies, unseen } instead

For each plugin: its policy digest and image, and how many of its proxies run just that. "tollgate verify" also says whether that is
what it should be.

Exit code: 0 every proxy runs what its plugin says, 1 one does not, or there is no such policy, 2 something could not be looked at.

examples:
  tollgate status
  tollgate status petstore --namespace istio-system --json`;

export const status: Command = {
  usage,
  run: async (args, io) => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        namespace: { type: 'string', short: 'n', multiple: true, default: [] },
        context: { type: 'string' },
        'metrics-only': { type: 'boolean', default: false },
        proxies: { type: 'string' },
        'root-namespace': { type: 'string', default: 'istio-system' },
        timeout: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    for (const name of positionals)
      if (!/^[a-z0-9-]{1,63}$/.test(name))
        throw new UsageError(`takes names of policies, such as petstore; found "${name}"`);
    const { context, json } = values;
    const timeoutSeconds = wholeNumber('--timeout', values.timeout, 1, 600) ?? 30;
    const progress = new Progress((line) => io.err(`${line}\n`));
    try {
      progress.say('asking the cluster');
      const cluster = await Cluster.connect(
        kubectl({ context, timeoutSeconds, signal: io.signal }),
        kubectlForward(context, io.signal),
      );
      const found = await statusOf(cluster, {
        policies: positionals,
        namespaces: values.namespace,
        dumps: !values['metrics-only'],
        mostProxies: wholeNumber('--proxies', values.proxies, 1, MOST) ?? MOST_PROXIES,
        rootNamespace: values['root-namespace'],
        note: progress.say,
      });
      progress.stop();
      return print(found, json, io);
    } finally {
      progress.stop();
    }
  },
};

function print({ policies, unseen }: ClusterStatus, json: boolean, io: Io): number {
  if (json) {
    const all = policies.map(({ plugins, ...rest }) => ({ ...rest, plugins: plugins.map(proxyJson) }));
    io.out(`${JSON.stringify({ policies: all, unseen }, null, 2)}\n`);
  } else {
    if (policies.length === 0)
      io.out(`${unseen.length === 0 ? 'no policy of Tollgate in this cluster' : 'no policy of Tollgate was seen'}\n`);
    for (const { policy, plugins, findings } of policies) {
      io.out(
        `policy ${policy}${plugins.length > 0 ? '' : unseen.length > 0 ? ': no plugin was seen' : ': no plugin in this cluster'}\n`,
      );
      for (const plugin of plugins) {
        io.out(`${proxyText(plugin)}\n`);
        for (const { pod, state, refusal, unread, ...told } of plugin.proxies) {
          const why = state === 'unseen' ? unread.join('; ') : refusal;
          io.out(`    ${pod}: ${STATES[state]}${details(told)}${why === null ? '' : `: ${why}`}\n`);
        }
      }
      for (const { object, text, kind } of findings) io.out(`  ${SIGNS[kind]}${object}: ${text}\n`);
    }
    for (const reason of unseen)
      io.out(
        `not looked at: ${reason}${reason.startsWith('may not list') ? '; --namespace names where you may' : ''}\n`,
      );
  }
  const proxies = policies.flatMap(({ plugins }) => plugins.flatMap((plugin) => plugin.proxies));
  const isBad = (policy: PolicyStatus): boolean =>
    // what could not be listed may be there
    (policy.plugins.length === 0 && unseen.length === 0) || policy.findings.some(({ kind }) => kind === 'problem');
  if (policies.some(isBad) || proxies.some(({ state }) => state !== 'current' && state !== 'unseen')) return 1;
  const isUnseen =
    unseen.length > 0 ||
    proxies.some(({ state }) => state === 'unseen') ||
    policies.some(({ findings }) => findings.some(({ kind }) => kind === 'unseen'));
  return isUnseen ? 2 : 0;
}

export const SIGNS: Readonly<Record<Observation['kind'], string>> = {
  problem: '',
  unseen: 'not looked at: ',
  notice: 'note: ',
};

const STATES: Readonly<Record<PluginReport['proxies'][number]['state'], string>> = {
  current: 'up to date',
  other: 'runs something else',
  none: 'has no plugin: checks nothing',
  shut: 'could not pull the image: refuses everything',
  open: 'could not pull the image: checks nothing',
  unseen: 'could not be asked',
};

function details(told: Readonly<Record<'version' | 'digest' | 'image', string | null>>): string {
  const parts = [
    told.version === null ? null : `module ${told.version}`,
    told.digest === null ? null : `policy ${told.digest}`,
    told.image === null ? null : `image ${told.image}`,
  ].filter((part) => part !== null);
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

/** One line about a plugin and its proxies. */
export function proxyText({ plugin, pods, proxies }: PluginReport): string {
  const current = proxies.filter(({ state }) => state === 'current').length;
  const asked = proxies.length < (pods ?? 0) ? `, ${proxies.length} of ${pods} asked` : '';
  const count = pods === null ? 'pods unknown' : `${current} of ${proxies.length} proxies up to date${asked}`;
  return `  ${plugin.label}: policy ${plugin.digest}, image ${imageOf(plugin.image)}: ${count}`;
}

function imageOf(url: string): string {
  return /@sha256:([0-9a-f]{12})/.exec(url)?.[1] ?? '(no digest)';
}

/** What a script wants to know of a plugin: without its config. */
export function proxyJson({ plugin, pods, proxies }: PluginReport): object {
  const { object, namespace, name, digest, image, pullSecret, failStrategy } = plugin;
  return { kind: object.kind, namespace, name, digest, image, pullSecret, failStrategy, pods, proxies };
}
