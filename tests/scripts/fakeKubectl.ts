import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Cluster } from '../../scripts/cluster/cluster.ts';
import { Unseen } from '../../scripts/cluster/error.ts';
import type { KubeObject } from '../../scripts/cluster/object.ts';

/** What a kubectl of a test knows. */
export interface FakeCluster {
  readonly objects: readonly KubeObject[];
  /** Metrics by `NAMESPACE/POD:PORT`. */
  readonly metrics?: Readonly<Record<string, string>>;
  /** Config dumps by `NAMESPACE/POD`. */
  readonly dumps?: Readonly<Record<string, string>>;
  /** Such as `list pods`, which the user may not do; `list all pods` is of all namespaces. */
  readonly forbidden?: readonly string[];
  /** Parts of paths that give no answer. */
  readonly hanging?: readonly string[];
}

type Answer = string | { readonly reason: string; readonly message: string };

/**
 * What "kubectl get --raw PATH" prints, or the API server's refusal; what the real ones say is tried in tests/istio/verify.ts. It
 * uses nothing outside of itself, because it also runs as a program.
 */
function answer(cluster: FakeCluster, path: string): Answer {
  const url = new URL(path, 'http://cluster');
  const forbidden = (deed: string): boolean => cluster.forbidden?.includes(deed) === true;
  const refusal = (reason: string, message: string): Answer => ({ reason, message });
  if (url.pathname === '/version') return '{}';
  const page = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+):(\d+)\/proxy/.exec(url.pathname);
  if (page !== null) {
    if (forbidden('get pods/proxy')) return refusal('Forbidden', 'pods/proxy is forbidden');
    const found = cluster.metrics?.[`${page[1]}/${page[2]}:${page[3]}`];
    return found ?? refusal('ServiceUnavailable', 'error trying to reach service');
  }
  const parts = /^\/(?:api|apis\/([^/]+))\/([^/]+)(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?$/.exec(
    url.pathname,
  )!;
  const [, group, version, namespace, plural, name] = parts;
  const apiVersion = group === undefined ? version : `${group}/${version}`;
  const verb = name === undefined ? 'list' : 'get';
  if (forbidden(`${verb} ${plural}`) || (namespace === undefined && forbidden(`${verb} all ${plural}`)))
    return refusal('Forbidden', `${plural} is forbidden`);
  const here = cluster.objects.filter(
    (one) =>
      `${one.kind.toLowerCase()}s` === plural &&
      one.apiVersion === apiVersion &&
      (namespace === undefined || one.metadata.namespace === namespace),
  );
  if (name !== undefined) {
    const found = here.find(({ metadata }) => metadata.name === name);
    return found === undefined ? refusal('NotFound', `${plural} "${name}" not found`) : JSON.stringify(found);
  }
  const labels = (url.searchParams.get('labelSelector') ?? '').split(',').filter((one) => one !== '');
  const items = here.filter(({ metadata }) =>
    labels.every((one) => metadata.labels?.[one.split('=')[0]!] === one.split('=')[1]),
  );
  // in pages of two, as a server may
  const from = Number(url.searchParams.get('continue') ?? 0);
  const metadata = from + 2 < items.length ? { continue: String(from + 2) } : {};
  return JSON.stringify({ metadata, items: items.slice(from, from + 2).map((one) => ({ ...one, kind: undefined })) });
}

/** A connection to the cluster without a process. */
export function connected(cluster: FakeCluster): Promise<Cluster> {
  return Cluster.connect(
    ([, , path = '']) => {
      const said = answer(cluster, path);
      return Promise.resolve(
        typeof said === 'string'
          ? { code: 0, stdout: said, stderr: '' }
          : { code: 1, stdout: '', stderr: `Error from server (${said.reason}): ${said.message}\n` },
      );
    },
    ({ namespace, pod }) => {
      if (cluster.forbidden?.includes('create pods/portforward') === true)
        return Promise.reject(new Unseen('may not create pods/portforward', true));
      const dump = cluster.dumps?.[`${namespace}/${pod}`];
      return dump === undefined ? Promise.reject(new Unseen('no such pod')) : Promise.resolve(dump);
    },
  );
}

const PROGRAM = `#!${process.execPath}
const __name = (value) => value;
const answer = ${answer.toString()};
const cluster = JSON.parse(require('node:fs').readFileSync(__dirname + '/cluster.json', 'utf8'));
const args = process.argv.slice(2);
require('node:fs').appendFileSync(__dirname + '/calls', JSON.stringify(args) + '\\n');
const fail = (reason, message) => (console.error('Error from server (' + reason + '): ' + message), process.exit(1));
if (args.includes('--context=nowhere')) (console.error('error: context "nowhere" does not exist'), process.exit(1));
if (args[0] === 'port-forward') {
  if (cluster.forbidden?.includes('create pods/portforward')) fail('Forbidden', 'pods "x" is forbidden');
  const namespace = args.find((arg) => arg.startsWith('--namespace=')).split('=')[1];
  const pod = args.find((arg) => arg.startsWith('pod/')).slice(4);
  const dump = cluster.dumps?.[namespace + '/' + pod];
  if (dump === undefined) fail('NotFound', 'pods "' + pod + '" not found');
  const server = require('node:http').createServer((_, response) => response.end(dump));
  server.listen(0, '127.0.0.1', () => console.log('Forwarding from 127.0.0.1:' + server.address().port + ' -> 15000'));
} else if (cluster.hanging?.some((one) => args[2].includes(one))) setInterval(() => {}, 1000);
else {
  const said = answer(cluster, args[2]);
  if (typeof said === 'string') process.stdout.write(said);
  else fail(said.reason, said.message);
}
`;

/** Runs with a program named kubectl on the PATH, which answers for the cluster; `calls` resolves to what it was asked. */
export async function withKubectl<T>(
  cluster: FakeCluster,
  run: (calls: () => Promise<string[][]>, folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-kubectl-'));
  const path = process.env['PATH'];
  try {
    await writeFile(join(folder, 'cluster.json'), JSON.stringify(cluster));
    await writeFile(join(folder, 'kubectl'), PROGRAM);
    await chmod(join(folder, 'kubectl'), 0o755);
    process.env['PATH'] = [folder, path].join(delimiter);
    const calls = async (): Promise<string[][]> => {
      const lines = (await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n');
      return lines.map((line) => JSON.parse(line) as string[]);
    };
    return await run(calls, folder);
  } finally {
    process.env['PATH'] = path;
    await rm(folder, { recursive: true, force: true });
  }
}
