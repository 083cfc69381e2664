import assert from 'node:assert/strict';
import { availableComponents } from '../../harness/components/available.ts';
import { eventually, freePort, ToolProcess } from '../../harness/envoy/toolProcess.ts';
import { PrometheusClient } from '../../harness/monitoring/prometheusClient.ts';
import type { Engine } from './engine.ts';

/** Why the demo cannot have a Prometheus beside it here. */
export const noPrometheus = (await availableComponents(['prometheus'], 'npm test docker installs it')).skip;

/** `demo --docker --monitoring` with that engine. */
export async function monitoredDemo({ env }: Engine): Promise<ToolProcess> {
  return new ToolProcess(['demo', '--docker', '--monitoring', '--port', String(await freePort())], env);
}

/** The Prometheus that the demo starts counts a request that Envoy in its container has refused, and has both workers and the main thread. */
export async function demoIsMonitored(tool: ToolProcess): Promise<void> {
  const port = Number((await tool.says(/http:\/\/(?:localhost|127\.0\.0\.1):(\d+)\/v1/))[1]);
  const prometheus = new PrometheusClient((await tool.says(/^prometheus on (http:\/\/127\.0\.0\.1:\d+)$/m))[1]!);
  assert.equal((await fetch(`http://127.0.0.1:${port}/v1/pets`)).status, 401);
  for (const [query, value] of [
    ['sum(tollgate_requests_total{reason="missing_api_key"})', 1],
    ['sum(tollgate_vms)', 3],
    ['sum(tollgate_info)', 1],
  ] as const)
    await eventually(
      async () => ((await prometheus.number(query)) === value ? true : null),
      () => `${query} never was ${value}\n${tool.out}${tool.err}`,
    );
}
