import type { EmitOptions } from '../../scripts/istio/index.ts';
import { call, type Call, type Reply } from '../../harness/mesh/call.ts';
import { seriesIn, totalOf, type Series } from '../../harness/prometheus.ts';
import type { Label, MetricName } from '../../scripts/contract/metrics.ts';
import type { KubeObject } from '../../harness/mesh/kubeClient.ts';
import type { Mesh } from '../../harness/mesh/mesh.ts';
import type { Proxy } from '../../harness/mesh/proxy.ts';
import { waitFor } from '../../harness/mesh/wait.ts';
import { RICH } from './policy.ts';
import { resourcesOf } from './resources.ts';

/** A gateway or sidecar of a test, with the port where its traffic comes in. */
export class ProxyUnderTest {
  constructor(
    private readonly mesh: Mesh,
    readonly proxy: Proxy,
    readonly port: number,
    readonly namespace: string,
    readonly selector: Record<string, string>,
    private readonly image: string,
    /** What is asked for where a request does not say it. */
    private readonly host?: string,
  ) {}

  /** This gateway as a policy's `targets` name it. */
  get target(): object {
    const { namespace, selector } = this;
    return { gateway: { namespace, selector, gateways: ['ingress'] } };
  }

  call(request?: Call): Promise<Reply> {
    return call(this.port, this.host === undefined ? request : { host: this.host, ...request });
  }

  /** Applies what rolls a policy out; it is in force a moment later. */
  async rollOut(policy: object, options: Partial<EmitOptions> = {}): Promise<KubeObject[]> {
    const resources = resourcesOf(policy, { image: this.image, ...options });
    await this.mesh.apply(resources);
    return resources;
  }

  /** Asks until the reply is as wanted; the message of a timeout holds the last reply and the proxy's last lines. */
  async becomes(what: string, isSo: (reply: Reply) => boolean, request?: Call): Promise<Reply> {
    let last: Reply | null = null;
    try {
      return await waitFor(
        what,
        async () => {
          last = await this.call(request);
          return isSo(last) ? last : null;
        },
        20_000,
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}\nlast reply: ${JSON.stringify(last)}\n${this.proxy.lastLines()}`);
    }
  }

  /** Resolves when the policy's routing table is in force beside its plugin. */
  async becomesRouted(request: Call = {}): Promise<void> {
    const headers = { ...RICH, 'x-api-version': '2' };
    await this.becomes('a request by route v2', ({ seen }) => seen?.upstream === 'v2', { ...request, headers });
    await this.becomes('a request by the default route', ({ seen }) => seen?.upstream === 'v1', {
      ...request,
      headers: RICH,
    });
  }

  becomesStatus(status: number, request?: Call): Promise<Reply> {
    return this.becomes(`status ${status}`, (reply) => reply.status === status, request);
  }

  /** Waits until the series with these labels come to a value; the module flushes its counters four times a second. */
  becomesSeries(name: MetricName, labels: Partial<Record<Label, string>>, value: number): Promise<boolean> {
    return waitFor(`${name} ${JSON.stringify(labels)} to be ${value}`, async () => {
      return totalOf(await this.series(), name, labels) === value;
    });
  }

  /** Waits for a line of Envoy's own statistics. */
  becomesStat(pattern: RegExp, filter: string): Promise<boolean> {
    return waitFor(`${pattern} in the metrics`, async () =>
      pattern.test(await this.proxy.admin.page(`/stats/prometheus?filter=${filter}`)),
    );
  }

  /** The module's series as Prometheus would scrape them. */
  async series(): Promise<Series[]> {
    return seriesIn(await this.proxy.admin.page('/stats/prometheus'));
  }

  /** Waits for a line of the agent's or Envoy's own log. */
  logs(pattern: RegExp): Promise<string> {
    return waitFor(`${pattern} in the log`, () => this.proxy.log.find((line) => pattern.test(line)) ?? null);
  }

  /** Waits for a line of the access log. */
  logsAccess(pattern: RegExp): Promise<string> {
    let lines: string[] = [];
    return waitFor(`${pattern} in the access log`, async () => {
      lines = await this.proxy.accessLog();
      return lines.find((line) => pattern.test(line)) ?? null;
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${lines.slice(-5).join('\n')}`);
    });
  }

  /** The file of the module that a plugin runs, by the plugin's resource; null while it has none. */
  async moduleFile(resource: string): Promise<string | null> {
    const dump = await this.proxy.admin.page('/config_dump?resource=ecds_filters');
    const { configs = [] } = JSON.parse(dump) as { configs?: { ecds_filter?: { name: string } }[] };
    const filter = configs.find(({ ecds_filter }) => ecds_filter?.name.includes(`.${resource}`));
    return /"filename":"([^"]+)"/.exec(JSON.stringify(filter ?? {}))?.[1] ?? null;
  }
}
