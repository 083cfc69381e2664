import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Admin } from '../../scripts/envoy/discovery.ts';
import { Daemon } from './daemon.ts';
import { ACCESS_LOG, ROOT_NAMESPACE } from './istiod.ts';
import type { KubeClient } from './kubeClient.ts';
import { freePorts } from './port.ts';
import { waitFor } from './wait.ts';

export interface ProxyOptions {
  /** Name of its workload. */
  readonly name: string;
  readonly kind: 'gateway' | 'sidecar';
  readonly namespace: string;
  /** Labels for selectors. */
  readonly labels: Readonly<Record<string, string>>;
  /** Of its pod. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly concurrency?: number;
  /**
   * Of its pod: the proxy gets a certificate of it from istiod, and its configuration with TLS. Without one, a proxy has no certificate and
   * speaks plain text.
   */
  readonly serviceAccount?: string;
}

export interface ProxyParts {
  readonly agent: string;
  readonly envoy: string;
  /** Where istiod gives configuration; with TLS to a proxy with a service account. */
  readonly xdsPort: number;
  /** What istiod's injector gives the pod. */
  readonly injected: Readonly<Record<string, unknown>>;
  /** Unpacked sources of Istio, for its bootstrap template. */
  readonly source: string;
  /** Folder for the proxy's own files. */
  readonly folder: string;
}

/** Where the agent keeps pulled modules; the folder cannot be configured. */
export const AGENT_DATA = '/var/lib/istio/data';

/** Removes the modules that agents pulled from a repository, `HOST/NAME`. The host has a port of its own, so others stay. */
export async function forgetModules(repository: string): Promise<void> {
  const folder = createHash('sha256').update(`oci://${repository}`).digest('hex');
  await rm(join(AGENT_DATA, folder), { recursive: true, force: true });
}

/** Whom a proxy's token is for: istiod asks the API server to review it. */
const AUDIENCE = 'istio-ca';

/**
 * Makes a service account, and mounts what Kubernetes mounts into a pod of it: a token, with which its proxy asks istiod for a certificate,
 * and the root certificate that istiod has written into the namespace.
 */
export async function mountIdentity(
  kube: KubeClient,
  folder: string,
  namespace: string,
  account: string,
): Promise<void> {
  await kube.apply([{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace } }]);
  const root = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'istio-ca-root-cert', namespace } };
  const certificate = await waitFor(`istiod writes its root certificate into namespace ${namespace}`, async () => {
    const { data } = await kube.get(root);
    return (data as Record<string, string> | undefined)?.['root-cert.pem'] ?? null;
  });
  // the agent looks for them from its working directory on
  const secrets = join(folder, 'var/run/secrets');
  await write(join(secrets, 'istio/root-cert.pem'), certificate);
  await write(join(secrets, 'tokens/istio-token'), await kube.accountToken(namespace, account, AUDIENCE));
}

/** Istio's agent with an Envoy, as in a pod: a gateway, or a sidecar without redirected traffic. */
export class Proxy {
  private constructor(
    private readonly folder: string,
    private readonly daemon: Daemon,
    readonly admin: Admin,
    /** Where its metrics are, as on port 15090 of a pod. */
    readonly prometheusPort: number,
  ) {}

  static async start(options: ProxyOptions, parts: ProxyParts): Promise<Proxy> {
    const { folder } = parts;
    const [adminPort, statusPort, prometheusPort] = (await freePorts(3)) as [number, number, number];
    await Promise.all([
      write(join(folder, 'bootstrap.json'), await loopbackTemplate(parts.source)),
      // the agent's status port listens on every interface; as an annotation of the pod, and only so, it may be 0: off
      write(
        join(folder, 'etc/istio/pod/annotations'),
        Object.entries({ ...options.annotations, 'status.sidecar.istio.io/port': '0' })
          .map(([name, value]) => `${name}=${JSON.stringify(value)}\n`)
          .join(''),
      ),
    ]);
    const daemon = new Daemon({
      name: options.name,
      command: parts.agent,
      folder,
      args: [
        'proxy',
        options.kind === 'gateway' ? 'router' : 'sidecar',
        '--domain',
        `${options.namespace}.svc.cluster.local`,
        '--proxyLogLevel',
        'warning,wasm:info',
        '--log_output_level',
        'default:info,wasm:debug',
      ],
      env: {
        ...environment(options),
        PROXY_CONFIG: proxyConfig(options, parts, adminPort),
        ENVOY_STATUS_PORT: String(statusPort),
        ENVOY_PROMETHEUS_PORT: String(prometheusPort),
      },
    });
    const admin = new Admin(adminPort);
    await daemon.isUp(() => admin.isReady());
    return new Proxy(folder, daemon, admin, prometheusPort);
  }

  /** Output of the agent and its Envoy. */
  get log(): readonly string[] {
    return this.daemon.log;
  }

  /** Lines of the access log: status, response code details, response flags, the module's filter state. */
  async accessLog(): Promise<string[]> {
    return (await readFile(join(this.folder, ACCESS_LOG), 'utf8').catch(() => '')).split('\n');
  }

  /** The lines to show when a test fails. */
  lastLines(count?: number): string {
    return this.daemon.lastLines(count);
  }

  stop(): Promise<void> {
    return this.daemon.stop();
  }
}

/** Istio's bootstrap without its listeners on all interfaces. */
async function loopbackTemplate(source: string): Promise<string> {
  const template = await readFile(join(source, 'tools/packaging/common/envoy_bootstrap.json'), 'utf8');
  return template.replaceAll('{{ .wildcard }}', '127.0.0.1');
}

function proxyConfig(
  { concurrency = 2, serviceAccount }: ProxyOptions,
  { envoy, xdsPort, folder, injected }: ProxyParts,
  adminPort: number,
): string {
  return JSON.stringify({
    ...injected,
    discoveryAddress: `127.0.0.1:${xdsPort}`,
    controlPlaneAuthPolicy: serviceAccount === undefined ? 'NONE' : 'MUTUAL_TLS',
    binaryPath: envoy,
    configPath: join(folder, 'etc'),
    proxyBootstrapTemplatePath: join(folder, 'bootstrap.json'),
    proxyAdminPort: adminPort,
    concurrency,
    terminationDrainDuration: '0.1s',
    fileFlushInterval: '0.1s',
  });
}

function environment({ name, kind, namespace, labels, serviceAccount }: ProxyOptions): Record<string, string> {
  return {
    POD_NAME: `${name}-0`,
    POD_NAMESPACE: namespace,
    INSTANCE_IP: '127.0.0.1',
    SERVICE_ACCOUNT: serviceAccount ?? 'default',
    ISTIO_META_CLUSTER_ID: 'Kubernetes',
    ISTIO_META_WORKLOAD_NAME: name,
    ISTIO_META_OWNER: `kubernetes://apis/apps/v1/namespaces/${namespace}/deployments/${name}`,
    ISTIO_METAJSON_LABELS: JSON.stringify(labels),
    ...(serviceAccount === undefined
      ? // no certificates: everything is plain text, and no authority is asked for one
        { FILE_MOUNTED_CERTS: 'true' }
      : // istiod's certificate is for the name of its Service
        { ISTIOD_SAN: `istiod.${ROOT_NAMESPACE}.svc` }),
    ...(kind === 'sidecar' && { ISTIO_META_INTERCEPTION_MODE: 'NONE' }),
  };
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
