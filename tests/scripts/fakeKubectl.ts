import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { KubeObject } from '../../scripts/cluster/object.ts';

/** What a kubectl of a test knows. */
export interface FakeCluster {
  readonly objects: readonly KubeObject[];
  /** Metrics by `NAMESPACE/POD:PORT`. */
  readonly metrics?: Readonly<Record<string, string>>;
  /** Config dumps by `NAMESPACE/POD`. */
  readonly dumps?: Readonly<Record<string, string>>;
  /** Such as `list pods`, which the user may not do. */
  readonly forbidden?: readonly string[];
  /** Paths that give no answer. */
  readonly hanging?: readonly string[];
}

/**
 * A program named kubectl that answers for a cluster of a test, as the real one does: `get --raw`, pages of pods, and forwarded
 * ports. What the real one says is tried in tests/istio/verify.ts.
 */
const PROGRAM = `#!${process.execPath}
const cluster = JSON.parse(require('node:fs').readFileSync(__dirname + '/cluster.json', 'utf8'));
require('node:fs').appendFileSync(__dirname + '/calls', JSON.stringify(process.argv.slice(2)) + '\\n');
const fail = (reason, message) => (console.error('Error from server (' + reason + '): ' + message), process.exit(1));
const may = (deed) => cluster.forbidden?.includes(deed) && fail('Forbidden', deed + ' is forbidden');
const args = process.argv.slice(2);
if (args.some((arg) => arg === '--context=nowhere')) (console.error('error: context "nowhere" does not exist'), process.exit(1));
if (args[0] === 'port-forward') {
  may('create pods/portforward');
  const namespace = args.find((arg) => arg.startsWith('--namespace=')).split('=')[1];
  const pod = args.find((arg) => arg.startsWith('pod/')).slice(4);
  const dump = cluster.dumps?.[namespace + '/' + pod];
  if (dump === undefined) fail('NotFound', 'pods "' + pod + '" not found');
  const server = require('node:http').createServer((_, answer) => answer.end(dump));
  server.listen(0, '127.0.0.1', () => console.log('Forwarding from 127.0.0.1:' + server.address().port + ' -> 15000'));
} else {
  const url = new URL('http://x' + args[2]);
  const path = url.pathname;
  if (cluster.hanging?.some((one) => path.includes(one))) setInterval(() => {}, 1000);
  else if (path === '/version') console.log('{}');
  else {
    const page = /^\\/api\\/v1\\/namespaces\\/([^/]+)\\/pods\\/([^/]+):(\\d+)\\/proxy/.exec(path);
    if (page) {
      may('get pods/proxy');
      const text = cluster.metrics?.[page[1] + '/' + page[2] + ':' + page[3]];
      if (text === undefined) fail('ServiceUnavailable', 'error trying to reach service');
      process.stdout.write(text);
    } else {
      const found = /^\\/(?:api|apis\\/[^/]+)\\/[^/]+(?:\\/namespaces\\/([^/]+))?\\/([a-z]+)(?:\\/([^/]+))?$/.exec(path);
      let [, namespace, plural, name] = found;
      if (plural === 'namespaces') namespace = undefined;
      const kind = cluster.objects.filter((one) => one.kind.toLowerCase() + 's' === plural && (path.startsWith('/api/') ? 'v1' : path.split('/')[2] + '/' + path.split('/')[3]) === one.apiVersion);
      const here = kind.filter((one) => namespace === undefined || one.metadata.namespace === namespace);
      may((name ? 'get ' : namespace === undefined ? 'list all ' : 'list ') + plural);
      may((name ? 'get ' : 'list ') + plural);
      if (name) {
        const one = here.find((object) => object.metadata.name === name);
        if (one === undefined) fail('NotFound', plural + ' "' + name + '" not found');
        console.log(JSON.stringify(one));
      } else {
        const labels = (url.searchParams.get('labelSelector') ?? '').split(',').filter(Boolean).map((one) => one.split('='));
        const items = here.filter((one) => labels.every(([label, value]) => one.metadata.labels?.[label] === value));
        // in pages of two, as a server may
        const from = Number(url.searchParams.get('continue') ?? 0);
        const more = from + 2 < items.length ? String(from + 2) : undefined;
        console.log(JSON.stringify({ kind: 'List', metadata: { continue: more }, items: items.slice(from, from + 2).map(({ kind, ...rest }) => rest) }));
      }
    }
  }
}
`;

/** Runs with that kubectl on the PATH; `calls` resolves to what it was asked. */
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

    const calls = async (): Promise<string[][]> =>
      (await readFile(join(folder, 'calls'), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as string[]);
    return await run(calls, folder);
  } finally {
    process.env['PATH'] = path;
    await rm(folder, { recursive: true, force: true });
  }
}
