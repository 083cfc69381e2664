import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CORE_SCHEMA, loadAll } from 'js-yaml';

const FOLDER = new URL('../../examples/ratelimit/', import.meta.url);
const CLUSTER = 'outbound|8081||ratelimit.tollgate.svc.cluster.local';

interface KubeObject {
  kind: string;
  metadata: { name: string; namespace?: string };
  spec: {
    selector: Record<string, unknown> & { matchLabels?: Record<string, string> };
    ports: { name: string; port: number; targetPort: string }[];
    template: {
      metadata: { labels: Record<string, string> };
      spec: {
        securityContext: { runAsNonRoot: boolean; seccompProfile: object };
        containers: Container[];
        volumes?: object[];
      };
    };
  };
}

interface Container {
  image: string;
  args?: string[];
  env: { name: string; value: string }[];
  ports: { name: string; containerPort: number }[];
  resources: { limits: { memory: string } };
  securityContext: object;
  readinessProbe: object;
  livenessProbe: object;
}

const objects = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.yaml'))
  .flatMap((name) => loadAll(readFileSync(new URL(name, FOLDER), 'utf8'), { schema: CORE_SCHEMA }) as KubeObject[]);

function the(kind: string, name: string): KubeObject {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  assert.equal(found.length, 1, `one ${kind} ${name}`);
  return found[0]!;
}

const container = (kind: string, name: string): Container => the(kind, name).spec.template.spec.containers[0]!;

test('the service is the cluster that policies name', () => {
  const { metadata, spec } = the('Service', 'ratelimit');
  const [port] = spec.ports;
  assert.equal(`outbound|${port!.port}||${metadata.name}.${metadata.namespace}.svc.cluster.local`, CLUSTER);
  assert.ok(readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8').includes(CLUSTER));
  assert.match(port!.name, /^grpc-/, 'Istio speaks HTTP/2 by this');
  assert.equal(
    container('Deployment', 'ratelimit').ports.find(({ name }) => name === port!.targetPort)!.containerPort,
    8081,
  );
});

test('selectors choose the pods beside them', () => {
  for (const [kind, name] of [
    ['Deployment', 'ratelimit'],
    ['StatefulSet', 'redis'],
  ] as const) {
    const { selector, template } = the(kind, name).spec;
    assert.deepEqual(selector.matchLabels, template.metadata.labels);
    assert.deepEqual(the('Service', name).spec.selector, template.metadata.labels);
  }
});

test('nothing is on that would make counts inexact', () => {
  const env = Object.fromEntries(container('Deployment', 'ratelimit').env.map(({ name, value }) => [name, value]));
  for (const flag of [
    'STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT',
    'SHADOW_MODE',
    'QUOTA_MODE',
    'USE_CALENDAR_MONTH_RATE_LIMIT',
  ])
    assert.equal(env[flag], 'false', flag);
  assert.deepEqual([env['BACKEND_TYPE'], env['LOCAL_CACHE_SIZE_IN_BYTES']], ['redis', '0']);
  assert.deepEqual(
    [env['RUNTIME_WATCH_ROOT'], env['RUNTIME_IGNOREDOTFILES']],
    ['false', 'true'],
    'ConfigMaps are links',
  );
  const redis = the('Service', 'redis');
  assert.equal(env['REDIS_URL'], `redis.${redis.metadata.namespace}.svc.cluster.local:${redis.spec.ports[0]!.port}`);
  assert.match(container('StatefulSet', 'redis').args!.join(' '), /--maxmemory-policy noeviction .*--appendonly yes/);
});

test('the pods have no more rights than they need', () => {
  for (const [kind, name] of [
    ['Deployment', 'ratelimit'],
    ['StatefulSet', 'redis'],
  ] as const) {
    const { securityContext, containers } = the(kind, name).spec.template.spec;
    assert.deepEqual(
      [securityContext.runAsNonRoot, securityContext.seccompProfile],
      [true, { type: 'RuntimeDefault' }],
    );
    assert.deepEqual(containers[0]!.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    assert.doesNotMatch(containers[0]!.image, /:latest$|:master$|^[^:]*$/);
    assert.ok(containers[0]!.readinessProbe && containers[0]!.livenessProbe && containers[0]!.resources.limits.memory);
  }
});
