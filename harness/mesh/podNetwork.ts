import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { Daemon } from './daemon.ts';
import type { KubeClient, KubeObject } from './kubeClient.ts';
import type { Proxy } from './proxy.ts';
import { waitFor } from './wait.ts';

const NODE = 'loopback';
const KUBELET = { address: '10.245.0.1', port: 10_250 };
/** Istio's own ports in every pod with a proxy. */
const ADMIN_PORT = 15_000;
const METRICS_PORT = 15_090;

export interface PodOptions {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Beside the proxy's. */
  readonly containers?: readonly object[];
}

/**
 * The pod network of a cluster whose pods are processes on loopback. The API server talks to no loopback address of a pod, and
 * must ask a kubelet for port forwarding; it reaches both through an HTTP CONNECT proxy, as it would one in another network.
 * That proxy knows where the addresses of pods really are, and the kubelet is the kubelet's own code for port forwarding.
 */
export class PodNetwork {
  private readonly places = new Map<string, number>();
  private readonly forwards: Record<string, string> = {};
  private readonly sockets = new Set<Socket>();
  private pods = 0;

  private constructor(
    private readonly server: Server,
    private readonly socketPath: string,
    private readonly kubelet: Daemon,
    private readonly forwardsFile: string,
  ) {
    server.on('connect', (request, socket: Socket) => this.open(request.url ?? '', socket));
  }

  static async start(command: string, folder: string): Promise<PodNetwork> {
    const forwardsFile = join(folder, 'forwards.json');
    await writeFile(forwardsFile, '{}');
    const kubelet = new Daemon({ name: 'kubelet', command, folder, args: [forwardsFile] });
    const server = createServer();
    const socketPath = join(folder, 'egress.sock');
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    const network = new PodNetwork(server, socketPath, kubelet, forwardsFile);
    try {
      const address = await waitFor(
        'the kubelet listens',
        () => kubelet.log.find((line) => /:\d+$/.test(line)) ?? null,
      );
      network.places.set(`${KUBELET.address}:${KUBELET.port}`, Number(address.split(':').at(-1)));
    } catch (error) {
      await network.stop();
      throw error;
    }
    return network;
  }

  /** What the API server reads to find this network. */
  get egressSelection(): object {
    // over TCP the API server would need certificates
    const connection = { proxyProtocol: 'HTTPConnect', transport: { uds: { udsName: this.socketPath } } };
    return {
      apiVersion: 'apiserver.k8s.io/v1beta1',
      kind: 'EgressSelectorConfiguration',
      egressSelections: [{ name: 'cluster', connection }],
    };
  }

  /** A Pod as Istio injects it, with a proxy that runs already: its admin interface and its metrics are on the ports that they always have. */
  async addPod(
    kube: KubeClient,
    proxy: Proxy,
    { name, namespace, labels, annotations = {}, containers = [] }: PodOptions,
  ): Promise<void> {
    await kube.apply([{ apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } }]);
    await kube.report(
      { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } },
      {
        addresses: [{ type: 'InternalIP', address: KUBELET.address }],
        daemonEndpoints: { kubeletEndpoint: { Port: KUBELET.port } },
      },
    );
    const address = `10.244.0.${++this.pods}`;
    this.places.set(`${address}:${METRICS_PORT}`, proxy.prometheusPort);
    this.forwards[`${namespace}/${name}:${ADMIN_PORT}`] = `127.0.0.1:${proxy.admin.port}`;
    await writeFile(this.forwardsFile, JSON.stringify(this.forwards));
    const istioProxy = {
      name: 'istio-proxy',
      image: 'docker.io/istio/proxyv2:test',
      ports: [{ containerPort: METRICS_PORT, name: 'http-envoy-prom', protocol: 'TCP' }],
    };
    const pod: KubeObject = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels: { ...labels }, annotations: { ...annotations } },
      spec: { nodeName: NODE, containers: [...containers, istioProxy] },
    };
    await kube.apply([pod]);
    await kube.report(pod, { phase: 'Running', podIP: address, podIPs: [{ ip: address }] });
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
    await this.kubelet.stop();
  }

  private open(place: string, client: Socket): void {
    const port = this.places.get(place);
    if (port === undefined) return void client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    const socket = connect(port, '127.0.0.1', () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
    for (const [one, other] of [
      [client, socket],
      [socket, client],
    ] as const) {
      this.sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => (this.sockets.delete(one), other.destroy()));
    }
  }
}
