import assert from 'node:assert/strict';
import type { Available } from '../../harness/envoy/available.ts';
import type { Programs } from '../../harness/rateLimitService/available.ts';
import { FakeService } from '../../harness/rateLimitService/fakeService.ts';
import { MeshEnvoy } from '../../harness/rateLimitService/meshEnvoy.ts';
import {
  meshConfig,
  POLICY,
  rulesOf,
  type MeshOptions,
  type MeshQuota,
} from '../../harness/rateLimitService/meshPolicy.ts';
import { RealService } from '../../harness/rateLimitService/realService.ts';

interface Setting extends MeshOptions {
  readonly quotas: readonly MeshQuota[];
  readonly envoys: number;
  /** What the service knows, when it is not what the policy says. */
  readonly serviceDomain?: string;
}

/** Envoys and one service for the length of a test; all of them end with it, and no Envoy may have complained. */
export async function withService<S extends RealService | FakeService>(
  start: (domain: string, setting: Setting) => Promise<S>,
  found: Available,
  setting: Setting,
  run: (envoys: MeshEnvoy[], service: S) => Promise<void>,
): Promise<void> {
  const service = await start(setting.serviceDomain ?? setting.domain ?? POLICY, setting);
  let envoys: MeshEnvoy[] = [];
  try {
    envoys = await MeshEnvoy.startAll(setting.envoys, found, meshConfig(setting.quotas, setting), service.port);
    await run(envoys, service);
    assert.deepEqual(
      envoys.flatMap(({ complaints }) => complaints),
      [],
    );
  } finally {
    await Promise.all(envoys.map((envoy) => envoy.stop()));
    await service.stop();
  }
}

export function onReal(programs: Programs | string): (domain: string, setting: Setting) => Promise<RealService> {
  if (typeof programs === 'string') throw new Error(programs);
  return (domain, { quotas }) => RealService.start(programs, { domain, rules: rulesOf(quotas) });
}

export function onFake(domain: string, { quotas }: Setting): Promise<FakeService> {
  return FakeService.start(domain, rulesOf(quotas));
}
