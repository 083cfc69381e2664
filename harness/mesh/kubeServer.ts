import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { answers, Daemon } from './daemon.ts';
import { KubeClient } from './kubeClient.ts';
import { PodNetwork } from './podNetwork.ts';
import { freePorts } from './port.ts';
import { waitFor } from './wait.ts';

/** An etcd with a Kubernetes API server: no controllers, so objects with finalizers are never removed, and one node of which only the network is there. */
export class KubeServer {
  private constructor(
    readonly client: KubeClient,
    readonly kubeconfig: string,
    readonly network: PodNetwork,
    private readonly daemons: readonly Daemon[],
  ) {}

  static async start(
    paths: { etcd: string; 'kube-apiserver': string; kubelet: string },
    parent: string,
  ): Promise<KubeServer> {
    const [etcdPort, peerPort, port] = (await freePorts(3)) as [number, number, number];
    const folder = await made(parent, 'kube');
    const network = await PodNetwork.start(paths.kubelet, folder);
    const etcd = await startEtcd(paths.etcd, await made(parent, 'etcd'), etcdPort, peerPort);
    try {
      const { server, client } = await startApiServer(paths['kube-apiserver'], folder, { port, etcdPort, network });
      return new KubeServer(client, join(folder, 'kubeconfig'), network, [server, etcd]);
    } catch (error) {
      await etcd.stop();
      await network.stop();
      throw error;
    }
  }

  /** Applies custom resource definitions and waits until the server serves them. */
  async define(definitions: string): Promise<void> {
    const applied = await this.client.apply(definitions);
    const crds = applied.filter(({ kind }) => kind === 'CustomResourceDefinition');
    for (const crd of crds) {
      await waitFor(`${crd.metadata.name} is established`, async () => {
        const { status } = (await this.client.get(crd)) as unknown as {
          status?: { conditions?: { type: string; status: string }[] };
        };
        return (
          status?.conditions?.some((condition) => condition.type === 'Established' && condition.status === 'True') ??
          false
        );
      });
    }
  }

  async stop(): Promise<void> {
    this.client.close();
    for (const daemon of this.daemons) await daemon.stop();
    await this.network.stop();
  }
}

async function startEtcd(command: string, folder: string, port: number, peerPort: number): Promise<Daemon> {
  const [url, peerUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const etcd = new Daemon({
    name: 'etcd',
    command,
    folder,
    args: [
      '--data-dir',
      join(folder, 'data'),
      '--listen-client-urls',
      url,
      '--advertise-client-urls',
      url,
      '--listen-peer-urls',
      peerUrl,
      '--initial-advertise-peer-urls',
      peerUrl,
      '--initial-cluster',
      `default=${peerUrl}`,
    ],
  });
  await etcd.isUp(() => answers(`${url}/health`));
  return etcd;
}

async function startApiServer(
  command: string,
  folder: string,
  { port, etcdPort, network }: { port: number; etcdPort: number; network: PodNetwork },
): Promise<{ server: Daemon; client: KubeClient }> {
  const token = randomBytes(16).toString('hex');
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const at = (name: string): string => join(folder, name);
  await Promise.all([
    writeFile(at('accounts.key'), keys.privateKey, { mode: 0o600 }),
    writeFile(at('accounts.pub'), keys.publicKey),
    writeFile(at('egress.json'), JSON.stringify(network.egressSelection)),
    writeFile(at('tokens.csv'), `${token},admin,admin,"system:masters"\n`, { mode: 0o600 }),
  ]);
  const server = new Daemon({
    name: 'kube-apiserver',
    command,
    folder,
    args: [
      '--etcd-servers',
      `http://127.0.0.1:${etcdPort}`,
      '--bind-address',
      '127.0.0.1',
      '--advertise-address',
      '127.0.0.1',
      '--secure-port',
      String(port),
      '--cert-dir',
      at('certificates'),
      '--service-cluster-ip-range',
      '10.96.0.0/24',
      '--endpoint-reconciler-type',
      'none',
      '--service-account-issuer',
      'https://kubernetes.default.svc',
      '--service-account-key-file',
      at('accounts.pub'),
      '--service-account-signing-key-file',
      at('accounts.key'),
      '--api-audiences',
      'istio-ca,https://kubernetes.default.svc',
      '--token-auth-file',
      at('tokens.csv'),
      '--authorization-mode',
      'RBAC',
      '--egress-selector-config-file',
      at('egress.json'),
      '--disable-admission-plugins',
      'ServiceAccount',
      '--shutdown-delay-duration',
      '0s',
    ],
  });
  let client: KubeClient | null = null;
  await server.isUp(async () => {
    // at start, the server writes its own certificate and that of the authority which signed it
    client ??= new KubeClient(port, token, await readFile(at('certificates/apiserver.crt'), 'utf8'));
    return (await client.raw('/readyz')) === 'ok';
  });
  await writeFile(at('kubeconfig'), kubeconfig(port, token, at('certificates/apiserver.crt')), { mode: 0o600 });
  return { server, client: client! };
}

function kubeconfig(port: number, token: string, certificate: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [
      { name: 'test', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': certificate } },
    ],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
  });
}

async function made(parent: string, name: string): Promise<string> {
  const folder = join(parent, name);
  await mkdir(folder, { recursive: true });
  return folder;
}
