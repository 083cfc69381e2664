import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { answers, Daemon } from './daemon.ts';
import { LOG_FIELDS } from '../../scripts/contract/table.ts';
import { freePorts } from './port.ts';

export const ROOT_NAMESPACE = 'istio-system';

/** Istio's control plane, serving configuration in plain text on loopback. */
export class Istiod {
  private constructor(
    private readonly daemon: Daemon,
    readonly xdsPort: number,
  ) {}

  static async start(command: string, kubeconfig: string, parent: string): Promise<Istiod> {
    const folder = join(parent, 'istiod');
    await mkdir(folder, { recursive: true });
    const [xdsPort, httpPort, monitoringPort] = (await freePorts(3)) as [number, number, number];
    await writeFile(join(folder, 'mesh.json'), JSON.stringify(MESH));
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
        join(folder, 'mesh.json'),
        '--registries',
        'Kubernetes',
        '--grpcAddr',
        `127.0.0.1:${xdsPort}`,
        '--httpAddr',
        `127.0.0.1:${httpPort}`,
        '--monitoringAddr',
        `127.0.0.1:${monitoringPort}`,
        '--secureGRPCAddr',
        '',
        '--httpsAddr',
        '',
        '--ctrlz_port',
        '0',
        '--shutdownDuration',
        '1s',
      ],
    });
    await daemon.isUp(() => answers(`http://127.0.0.1:${httpPort}/ready`));
    return new Istiod(daemon, xdsPort);
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

/** Mutual TLS, tracing and Istio's own metrics are off, because no test is about them. */
const MESH = {
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
  // no certificates to sign, no webhooks to serve, nothing to deploy
  ENABLE_CA_SERVER: 'false',
  INJECTION_WEBHOOK_CONFIG_NAME: '',
  VALIDATION_WEBHOOK_CONFIG_NAME: '',
  PILOT_ENABLE_AMBIENT: 'false',
  PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER: 'false',
};
