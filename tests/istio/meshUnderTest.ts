import { startEcho, type Echo } from '../../scripts/upstream/echo.ts';
import type { Available } from './available.ts';
import { pushImage, type ImageOptions } from '../../harness/mesh/image.ts';
import { ROOT_NAMESPACE } from '../../harness/mesh/istiod.ts';
import type { KubeObject } from '../../harness/mesh/kubeClient.ts';
import { Mesh } from '../../harness/mesh/mesh.ts';
import type { PodOptions } from '../../harness/mesh/podNetwork.ts';
import { freePort } from '../../harness/mesh/port.ts';
import { forgetModules } from '../../harness/mesh/proxy.ts';
import type { Registry } from '../../harness/mesh/registry.ts';
import { DESTINATION } from './policy.ts';
import { ProxyUnderTest } from './proxyUnderTest.ts';

/** Where the example policies have their rate limit service. */
const RATE_LIMIT_SERVICE_NAMESPACE = 'tollgate';

/** The mesh that all subjects share, with two upstreams behind one service and the module in the registry. */
export class MeshUnderTest {
  private echoes: Echo[] = [];
  private readonly repositories = new Set<string>();
  private mesh!: Mesh;
  /** The module, pinned by digest. */
  image = '';

  constructor(private readonly found: Available) {}

  async start(): Promise<void> {
    const { found } = this;
    if (found.skip !== false) throw new Error(found.skip);
    this.mesh = await Mesh.start(found);
    this.image = await this.push('tollgate');
    this.echoes = await Promise.all(['v1', 'v2'].map((name) => startEcho(name)));
    for (const namespace of ['shop', RATE_LIMIT_SERVICE_NAMESPACE]) await this.mesh.namespace(namespace);
    // sidecars would ask for certificates otherwise
    await this.mesh.apply([
      {
        apiVersion: 'security.istio.io/v1',
        kind: 'PeerAuthentication',
        metadata: { name: 'default', namespace: ROOT_NAMESPACE },
        spec: { mtls: { mode: 'DISABLE' } },
      },
    ]);
    await this.mesh.apply(servicesOf(this.echoes));
  }

  async stop(): Promise<void> {
    await this.mesh?.stop();
    for (const repository of this.repositories) await forgetModules(repository);
    for (const echo of this.echoes) await echo.close();
  }

  get registry(): string {
    return this.mesh.registry.host;
  }

  get kube(): Mesh['kube'] {
    return this.mesh.kube;
  }

  get kubeconfig(): string {
    return this.mesh.kubeconfig;
  }

  apply(resources: string | readonly KubeObject[]): Promise<KubeObject[]> {
    return this.mesh.apply(resources);
  }

  delete(resources: string | readonly KubeObject[]): Promise<void> {
    return this.mesh.delete(resources);
  }

  /** Makes a Pod of a proxy, which the API server reaches as one on a node; by default in the proxy's namespace, with its labels. */
  pod({ proxy, namespace, selector }: ProxyUnderTest, name: string, as: Partial<PodOptions> = {}): Promise<void> {
    return this.mesh.pod(proxy, { name, namespace, labels: selector, ...as });
  }

  /** A Pod of which nothing runs. */
  async barePod(
    name: string,
    namespace: string,
    labels: Record<string, string>,
    containers: object[] = [{ name: 'app', image: 'x' }],
  ): Promise<void> {
    await this.apply([{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels }, spec: { containers } }]);
  }

  /** Pushes the module to a repository of the registry; resolves to the image with its digest. */
  push(
    repository: string,
    { to = this.registry, ...options }: Partial<Omit<ImageOptions, 'repository'>> & { to?: string } = {},
  ): Promise<string> {
    if (this.found.skip !== false) throw new Error(this.found.skip);
    const full = `${to}/${repository}`;
    this.repositories.add(full);
    return pushImage({ repository: full, module: this.found.module, ...options });
  }

  /** Another registry; with `source`, a pull-through cache of that one, from which proxies will pull `repositories`. */
  async startRegistry(name: string, source?: Registry, ...repositories: string[]): Promise<Registry> {
    const registry = await this.mesh.startRegistry(name, source);
    for (const repository of repositories) this.repositories.add(`${registry.host}/${repository}`);
    return registry;
  }

  /** An ingress gateway in a namespace of its own, whose Gateway is named `ingress`. */
  async gateway(name: string, annotations: Record<string, string> = {}): Promise<ProxyUnderTest> {
    const namespace = `${name}-gateway`;
    const [selector, port] = [{ istio: name }, await freePort()];
    await this.mesh.namespace(namespace);
    await this.apply([
      {
        apiVersion: 'networking.istio.io/v1',
        kind: 'Gateway',
        metadata: { name: 'ingress', namespace },
        spec: {
          selector,
          servers: [{ port: { number: port, name: 'http', protocol: 'HTTP' }, bind: '127.0.0.1', hosts: ['*'] }],
        },
      },
    ]);
    const proxy = await this.mesh.proxy({ name: 'ingress', kind: 'gateway', namespace, labels: selector, annotations });
    return new ProxyUnderTest(this.mesh, proxy, port, namespace, selector, this.image);
  }

  /** Runs with another `meshConfig.defaultConfig`: proxies that start meanwhile have it. */
  withDefaultConfig<T>(config: Readonly<Record<string, unknown>>, run: () => Promise<T>): Promise<T> {
    return this.mesh.withDefaultConfig(config, run);
  }

  /** The proxy config that a pod with these annotations would get from istiod's injector. */
  injectedProxyConfig(annotations: Record<string, string>): Promise<Record<string, unknown>> {
    return this.mesh.injectedProxyConfig({ name: 'any', kind: 'sidecar', namespace: 'shop', labels: {}, annotations });
  }

  /** The gateway that istioctl installs, without a Gateway. */
  async ingressGateway(): Promise<ProxyUnderTest> {
    const selector = { istio: 'ingressgateway' };
    const proxy = await this.mesh.proxy({
      name: 'istio-ingressgateway',
      kind: 'gateway',
      namespace: ROOT_NAMESPACE,
      labels: selector,
    });
    return new ProxyUnderTest(this.mesh, proxy, await freePort(), ROOT_NAMESPACE, selector, this.image);
  }

  /** An upstream that is an endpoint of the Kubernetes Service `name`, as a pod with the label `app` would be. */
  async standInForPod(name: string, namespace: string): Promise<void> {
    await this.apply([
      {
        apiVersion: 'networking.istio.io/v1',
        kind: 'WorkloadEntry',
        metadata: { name, namespace },
        spec: { address: '127.0.0.1', labels: { app: name }, ports: { http: this.echoes[0]!.port } },
      },
    ]);
  }

  /**
   * A gateway of the Gateway API, deployed by hand: its address names the service whose pods it is. Istio would have it
   * listen on every interface.
   */
  async gatewayApi(name: string): Promise<ProxyUnderTest> {
    const [namespace, port, host] = [`${name}-gateway`, await freePort(), `${name}.gateway.example`];
    const selector = { 'gateway.networking.k8s.io/gateway-name': name };
    await this.mesh.namespace(namespace);
    await this.apply([
      {
        apiVersion: 'networking.istio.io/v1',
        kind: 'ServiceEntry',
        metadata: { name, namespace },
        spec: {
          hosts: [host],
          location: 'MESH_INTERNAL',
          resolution: 'STATIC',
          ports: [{ number: port, name: 'http', protocol: 'HTTP' }],
          endpoints: [{ address: '127.0.0.1' }],
        },
      },
      {
        apiVersion: 'networking.istio.io/v1alpha3',
        kind: 'EnvoyFilter',
        metadata: { name: 'loopback', namespace },
        spec: {
          workloadSelector: { labels: selector },
          configPatches: [
            {
              applyTo: 'LISTENER',
              match: { context: 'GATEWAY' },
              patch: {
                operation: 'MERGE',
                value: { address: { socket_address: { address: '127.0.0.1', port_value: port } } },
              },
            },
          ],
        },
      },
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'Gateway',
        metadata: { name, namespace },
        spec: {
          gatewayClassName: 'istio',
          addresses: [{ type: 'Hostname', value: host }],
          listeners: [{ name: 'http', port, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' } } }],
        },
      },
    ]);
    const proxy = await this.mesh.proxy({ name, kind: 'gateway', namespace, labels: selector });
    return new ProxyUnderTest(this.mesh, proxy, port, namespace, selector, this.image);
  }

  /** A route of a gateway's owner, which takes what no policy routes. */
  async ownRoute({ namespace }: ProxyUnderTest): Promise<void> {
    await this.apply([
      {
        apiVersion: 'networking.istio.io/v1',
        kind: 'VirtualService',
        metadata: { name: 'own', namespace },
        spec: {
          hosts: ['*'],
          gateways: ['ingress'],
          http: [{ route: [{ destination: { host: DESTINATION, port: { number: 8080 } } }] }],
        },
      },
    ]);
  }

  /** A sidecar for what an app sends to `host`, a service of both upstreams: its port is where the app would call it. */
  async outbound(name: string, namespace: string, host: string): Promise<ProxyUnderTest> {
    const [selector, port] = [{ app: name }, await freePort()];
    await this.mesh.namespace(namespace);
    await this.apply([
      serviceEntry(name, host, this.echoes, port),
      {
        apiVersion: 'networking.istio.io/v1',
        kind: 'Sidecar',
        metadata: { name, namespace },
        spec: {
          workloadSelector: { labels: selector },
          egress: [
            { port: { number: port, name: 'http', protocol: 'HTTP' }, bind: '127.0.0.1', hosts: ['shop/*', './*'] },
          ],
        },
      },
    ]);
    const proxy = await this.mesh.proxy({ name, kind: 'sidecar', namespace });
    return new ProxyUnderTest(this.mesh, proxy, port, namespace, selector, this.image);
  }

  /**
   * A sidecar of the service account `name`, for what its app sends with mutual TLS to the sidecar `server` of another namespace, whose service
   * account has the name of its app. Of the same namespace, that one would listen on the caller's port too.
   */
  async caller(name: string, namespace: string, server: ProxyUnderTest): Promise<ProxyUnderTest> {
    const [selector, port, host] = [{ app: name }, await freePort(), `${name}.${namespace}.example`];
    await this.mesh.namespace(namespace);
    await this.apply([
      {
        apiVersion: 'networking.istio.io/v1',
        kind: 'ServiceEntry',
        metadata: { name, namespace },
        spec: {
          hosts: [host],
          // proxies without a certificate must not hear of it
          exportTo: ['.'],
          location: 'MESH_INTERNAL',
          resolution: 'STATIC',
          ports: [{ number: port, name: 'http', protocol: 'HTTP' }],
          endpoints: [{ address: '127.0.0.1', ports: { http: server.port } }],
          subjectAltNames: [`spiffe://cluster.local/ns/${server.namespace}/sa/${server.selector['app']}`],
        },
      },
      {
        apiVersion: 'networking.istio.io/v1',
        kind: 'DestinationRule',
        metadata: { name, namespace },
        spec: { host, exportTo: ['.'], trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } },
      },
      {
        apiVersion: 'networking.istio.io/v1',
        kind: 'Sidecar',
        metadata: { name, namespace },
        spec: {
          workloadSelector: { labels: selector },
          egress: [{ port: { number: port, name: 'http', protocol: 'HTTP' }, bind: '127.0.0.1', hosts: ['./*'] }],
        },
      },
    ]);
    const proxy = await this.mesh.proxy({ name, kind: 'sidecar', namespace, serviceAccount: name });
    return new ProxyUnderTest(this.mesh, proxy, port, namespace, selector, this.image, host);
  }

  /** A sidecar in front of upstream v1, as of a pod of the app `name`; with a certificate where it has a service account. */
  async sidecar(name: string, namespace: string, serviceAccount?: string): Promise<ProxyUnderTest> {
    const [selector, port] = [{ app: name }, await freePort()];
    await this.mesh.namespace(namespace);
    await this.apply([
      {
        apiVersion: 'networking.istio.io/v1',
        kind: 'Sidecar',
        metadata: { name, namespace },
        spec: {
          workloadSelector: { labels: selector },
          egress: [{ hosts: ['./*'] }],
          ingress: [
            {
              port: { number: port, name: 'http', protocol: 'HTTP' },
              bind: '127.0.0.1',
              defaultEndpoint: `127.0.0.1:${this.echoes[0]!.port}`,
            },
          ],
        },
      },
    ]);
    const proxy = await this.mesh.proxy({
      name,
      kind: 'sidecar',
      namespace,
      ...(serviceAccount !== undefined && { serviceAccount }),
    });
    return new ProxyUnderTest(this.mesh, proxy, port, namespace, selector, this.image);
  }
}

/** Upstreams as versions of one service, and each as a service of its own. Kubernetes itself takes no endpoints on loopback. */
function servicesOf(echoes: readonly Echo[]): KubeObject[] {
  return [
    serviceEntry('petstore', DESTINATION, echoes),
    ...echoes.map((echo) => serviceEntry(echo.name, `${echo.name}.petstore.example`, [echo])),
  ];
}

function serviceEntry(name: string, host: string, echoes: readonly Echo[], number = 8080): KubeObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name, namespace: 'shop' },
    spec: {
      hosts: [host],
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      ports: [{ number, name: 'http', protocol: 'HTTP' }],
      endpoints: echoes.map(({ name: version, port }) => ({
        address: '127.0.0.1',
        ports: { http: port },
        labels: { version },
      })),
    },
  };
}
