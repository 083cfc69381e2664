import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { istioSource } from '../components/goBuild.ts';
import type { PodToInject } from './injection.ts';
import { Istiod, ROOT_NAMESPACE } from './istiod.ts';
import type { KubeClient, KubeObject } from './kubeClient.ts';
import { KubeServer } from './kubeServer.ts';
import type { PodOptions } from './podNetwork.ts';
import { mountIdentity, Proxy, type ProxyOptions } from './proxy.ts';
import { Registry } from './registry.ts';
import { whenWeDie } from './watchdog.ts';

export interface MeshParts {
  readonly paths: Record<
    'etcd' | 'kube-apiserver' | 'kubelet' | 'pilot-discovery' | 'pilot-agent' | 'docker-registry',
    string
  >;
  readonly envoy: string;
}

/** A control plane, a registry, and the proxies that tests ask for: all on loopback, and all files in one temporary folder. */
export class Mesh {
  private readonly stops: (() => Promise<void>)[] = [];
  private source = '';
  private kubeServer!: KubeServer;
  private istiod!: Istiod;
  registry!: Registry;

  private readonly dismissFolder: () => void;

  private constructor(
    private readonly parts: MeshParts,
    private readonly folder: string,
  ) {
    // after the programs that write into it
    this.dismissFolder = whenWeDie('sleep 1; rm -rf "$1"', folder);
  }

  static async start(parts: MeshParts): Promise<Mesh> {
    const mesh = new Mesh(parts, await mkdtemp(join(tmpdir(), 'tollgate-mesh-')));
    try {
      await mesh.startAll();
      return mesh;
    } catch (error) {
      await mesh.stop();
      throw error;
    }
  }

  get kube(): KubeClient {
    return this.kubeServer.client;
  }

  /** The kubeconfig file for the API server. */
  get kubeconfig(): string {
    return this.kubeServer.kubeconfig;
  }

  /** Makes a Pod of a proxy, which the API server then reaches as it would one on a node. */
  async pod(proxy: Proxy, pod: PodOptions): Promise<void> {
    await this.kubeServer.network.addPod(this.kube, proxy, pod);
  }

  /** istiod's output. */
  get istiodLog(): readonly string[] {
    return this.istiod.log;
  }

  private async startAll(): Promise<void> {
    const { paths } = this.parts;
    this.source = await istioSource();
    this.registry = this.stopLater(await Registry.start(paths['docker-registry'], this.folder));
    this.kubeServer = this.stopLater(await KubeServer.start(paths, this.folder));
    for (const file of [
      'manifests/charts/base/files/crd-all.gen.yaml',
      'tests/integration/pilot/testdata/gateway-api-crd.yaml',
    ]) {
      await this.kubeServer.define(await readFile(join(this.source, file), 'utf8'));
    }
    await this.namespace(ROOT_NAMESPACE);
    this.istiod = this.stopLater(
      await Istiod.start(paths['pilot-discovery'], this.kubeServer.kubeconfig, this.folder, this.source),
    );
  }

  async namespace(name: string): Promise<void> {
    await this.kube.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }]);
  }

  /** Starts a proxy; by default in a namespace that exists, with its name as the label `app`. */
  async proxy(options: Omit<ProxyOptions, 'labels'> & { labels?: Record<string, string> }): Promise<Proxy> {
    const { paths, envoy } = this.parts;
    const folder = join(this.folder, `proxy-${options.namespace}-${options.name}`);
    await mkdir(folder);
    const full = { labels: { app: options.name }, annotations: {}, ...options };
    const injected = await this.istiod.injectedProxyConfig(full);
    const { serviceAccount, namespace } = full;
    if (serviceAccount !== undefined) await mountIdentity(this.kube, folder, namespace, serviceAccount);
    const xdsPort = serviceAccount === undefined ? this.istiod.xdsPort : this.istiod.securePort;
    const parts = { agent: paths['pilot-agent'], envoy, xdsPort, injected, source: this.source, folder };
    return this.stopLater(await Proxy.start(full, parts));
  }

  /** Runs with another `meshConfig.defaultConfig`: proxies that start meanwhile have it. */
  withDefaultConfig<T>(config: Readonly<Record<string, unknown>>, run: () => Promise<T>): Promise<T> {
    return this.istiod.withDefaultConfig(config, run);
  }

  /** Another registry; with `source`, a pull-through cache of that one. */
  async startRegistry(name: string, source?: Registry): Promise<Registry> {
    return this.stopLater(await Registry.start(this.parts.paths['docker-registry'], this.folder, name, source?.host));
  }

  /** The proxy config that a pod gets from istiod's injector. */
  injectedProxyConfig(pod: PodToInject): Promise<Record<string, unknown>> {
    return this.istiod.injectedProxyConfig(pod);
  }

  apply(resources: string | readonly KubeObject[]): Promise<KubeObject[]> {
    return this.kube.apply(resources);
  }

  delete(resources: string | readonly KubeObject[]): Promise<void> {
    return this.kube.delete(resources);
  }

  /** Stops everything, the last started first. */
  async stop(): Promise<void> {
    for (const stop of this.stops.splice(0).reverse()) await stop();
    await rm(this.folder, { recursive: true, force: true });
    this.dismissFolder();
  }

  private stopLater<T extends { stop(): Promise<void> }>(part: T): T {
    this.stops.push(() => part.stop());
    return part;
  }
}
