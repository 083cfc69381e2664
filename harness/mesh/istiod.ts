import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LABELS } from '../../scripts/contract/metrics.ts';
import { answers, Daemon } from './daemon.ts';
import { LOG_FIELDS } from '../../scripts/contract/table.ts';
import { injectedProxyConfig, type PodToInject, writeInjector } from './injection.ts';
import { freePorts } from './port.ts';
import { waitFor } from './wait.ts';

export const ROOT_NAMESPACE = 'istio-system';

/** Istio's control plane on loopback: configuration in plain text, and once more with TLS beside its certificate authority. */
export class Istiod {
  private constructor(
    private readonly daemon: Daemon,
    private readonly folder: string,
    readonly xdsPort: number,
    /** Configuration and certificates, for proxies that show a token of their service account. */
    readonly securePort: number,
    private readonly httpPort: number,
  ) {}

  /** `source` is Istio's, for what its chart gives the injector. */
  static async start(command: string, kubeconfig: string, parent: string, source: string): Promise<Istiod> {
    const folder = join(parent, 'istiod');
    await mkdir(folder, { recursive: true });
    await writeInjector(source, folder);
    const [xdsPort, securePort, httpPort, monitoringPort] = (await freePorts(4)) as [number, number, number, number];
    await writeFile(join(folder, MESH_FILE), JSON.stringify(MESH));
    const daemon = new Daemon({
      name: 'istiod',
      command,
      folder,
      env: ENVIRONMENT,
      args: [
        'discovery',
        '--kubeconfig',
        kubeconfig,
        '--meshConfig',
        join(folder, MESH_FILE),
        '--registries',
        'Kubernetes',
        '--grpcAddr',
        `127.0.0.1:${xdsPort}`,
        '--httpAddr',
        `127.0.0.1:${httpPort}`,
        '--monitoringAddr',
        `127.0.0.1:${monitoringPort}`,
        '--secureGRPCAddr',
        `127.0.0.1:${securePort}`,
        '--httpsAddr',
        '',
        '--ctrlz_port',
        '0',
        '--shutdownDuration',
        '1s',
      ],
    });
    await daemon.isUp(() => answers(`http://127.0.0.1:${httpPort}/ready`));
    return new Istiod(daemon, folder, xdsPort, securePort, httpPort);
  }

  /** The proxy config that a pod gets from the injection webhook. */
  injectedProxyConfig(pod: PodToInject): Promise<Record<string, unknown>> {
    return injectedProxyConfig(`http://127.0.0.1:${this.httpPort}/inject`, pod);
  }

  /** Runs with another `meshConfig.defaultConfig`, which new pods get. */
  async withDefaultConfig<T>(config: Readonly<Record<string, unknown>>, run: () => Promise<T>): Promise<T> {
    const change = async (defaultConfig: object): Promise<void> => {
      await writeFile(join(this.folder, MESH_FILE), JSON.stringify({ ...MESH, defaultConfig }));
      const pod = { name: 'any', namespace: ROOT_NAMESPACE, kind: 'sidecar', labels: {}, annotations: {} } as const;
      await waitFor('istiod has read its mesh config', async () => {
        const { extraStatTags } = await this.injectedProxyConfig(pod);
        return (
          JSON.stringify(extraStatTags) === JSON.stringify((defaultConfig as typeof MESH.defaultConfig).extraStatTags)
        );
      });
    };
    await change(config);
    try {
      return await run();
    } finally {
      await change(MESH.defaultConfig);
    }
  }

  get log(): readonly string[] {
    return this.daemon.log;
  }

  stop(): Promise<void> {
    return this.daemon.stop();
  }
}

/** The access log of each proxy, in the folder of the proxy. */
export const ACCESS_LOG = 'access.log';

/**
 * Tracing and Istio's own metrics are off, because no test is about them; so is mutual TLS where a test does not ask for it, because most
 * proxies have no certificate.
 */
const MESH_FILE = 'mesh.json';
const MESH = {
  defaultConfig: { extraStatTags: LABELS },
  enablePrometheusMerge: false,
  enableTracing: false,
  enableAutoMtls: false,
  ingressControllerMode: 'OFF',
  trustDomain: 'cluster.local',
  accessLogFile: ACCESS_LOG,
  accessLogFormat: `%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% flags=%RESPONSE_FLAGS% %FILTER_STATE(wasm.tollgate:PLAIN)% | ${LOG_FIELDS.map((name) => `${name}=%FILTER_STATE(wasm.tollgate.${name}:PLAIN)%`).join(' ')}\n`,
};

const ENVIRONMENT = {
  POD_NAME: 'istiod-0',
  POD_NAMESPACE: ROOT_NAMESPACE,
  CLUSTER_ID: 'Kubernetes',
  // the Envoy project's own builds lack Istio's filters
  PILOT_ENABLE_METADATA_EXCHANGE: 'false',
  PILOT_ENABLE_ALPN_FILTER: 'false',
  // no webhooks to register, nothing to deploy
  INJECTION_WEBHOOK_CONFIG_NAME: '',
  VALIDATION_WEBHOOK_CONFIG_NAME: '',
  PILOT_ENABLE_AMBIENT: 'false',
  PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER: 'false',
};
