import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { before, describe, it, test } from 'node:test';
import { CORE_SCHEMA, load } from 'js-yaml';
import { availableComponents } from '../../harness/components/available.ts';
import { IMAGE } from '../../scripts/docker/envoy.ts';
import { inPackage, packageRoot } from '../../scripts/file/packageRoot.ts';
import { runToEnd } from '../../scripts/program/run.ts';

const FOLDER = inPackage('examples', 'monitoring');
const read = (name: string): unknown => load(readFileSync(join(FOLDER, name), 'utf8'), { schema: CORE_SCHEMA });
const compose = await availableComponents(['docker-compose'], 'npm test monitoring builds it once');

interface Service {
  image: string;
  network_mode?: string;
  ports?: { host_ip?: string; target: number; published: string }[];
  volumes?: { type: string; source: string; target: string }[];
  command?: string[];
  environment?: Record<string, string>;
}

describe('the compose file, as docker compose reads it', { skip: compose.skip }, () => {
  let services: Record<string, Service>;
  before(async () => {
    if (compose.skip !== false) return;
    const args = ['-f', join(FOLDER, 'compose.yaml'), 'config', '--format', 'json'];
    const { code, stdout, stderr } = await runToEnd(compose.paths['docker-compose'], args);
    assert.equal(code, 0, stderr);
    services = (JSON.parse(stdout) as { services: Record<string, Service> }).services;
  });

  it('has Envoy, two upstreams, Prometheus and Grafana, each in one version', () => {
    assert.deepEqual(Object.keys(services).sort(), ['envoy', 'grafana', 'pets-v1', 'pets-v2', 'prometheus']);
    for (const [name, { image }] of Object.entries(services)) assert.match(image, /:v?\d+\.\d+\.\d+$/, name);
    assert.equal(services['envoy']!.image, IMAGE);
  });

  it("publishes on this machine only, and Envoy's admin interface nowhere", () => {
    const ports = Object.values(services).flatMap(({ ports: published = [] }) => published);
    assert.deepEqual(ports.map(({ target }) => target).sort(), [3000, 8080, 9090]);
    for (const { host_ip } of ports) assert.equal(host_ip, '127.0.0.1');
    assert.equal(services['prometheus']!.network_mode, 'service:envoy');
  });

  it('mounts files that are there, or that the README says how to make', () => {
    const sources = Object.values(services)
      .flatMap(({ volumes = [] }) => volumes)
      .filter(({ type }) => type === 'bind')
      .map(({ source }) => relative(packageRoot, source));
    const made = ['build/tollgate.wasm'];
    assert.deepEqual(
      sources.filter((source) => !made.includes(source) && !existsSync(inPackage(source))),
      [],
    );
    assert.ok(sources.length >= 8);
  });

  it('starts Prometheus and Grafana with what is mounted', () => {
    const targets = (name: string): string[] => services[name]!.volumes!.map(({ target }) => target);
    assert.ok(
      targets('prometheus').includes(/--config\.file=(\S+)/.exec(services['prometheus']!.command!.join(' '))![1]!),
    );
    assert.ok(
      targets('grafana').includes(services['grafana']!.environment!['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH']!),
    );
  });
});

test('Prometheus reads where the Envoy of examples/docker has its admin interface', () => {
  const bootstrap = JSON.parse(readFileSync(inPackage('examples', 'docker', 'bootstrap.json'), 'utf8')) as {
    admin: { address: { socket_address: { address: string; port_value: number } } };
  };
  const { address, port_value } = bootstrap.admin.address.socket_address;
  const { scrape_configs } = read('prometheus.yaml') as {
    scrape_configs: { metrics_path: string; static_configs: { targets: string[] }[] }[];
  };
  assert.deepEqual(
    scrape_configs.map(({ metrics_path, static_configs }) => [metrics_path, static_configs[0]!.targets]),
    [['/stats/prometheus', [`${address}:${port_value}`]]],
  );
});

test('Grafana is given the data source that Prometheus is, and how often it reads', () => {
  const { datasources } = read('grafana/datasource.yaml') as {
    datasources: { type: string; url: string; jsonData: { timeInterval: string } }[];
  };
  const { global } = read('prometheus.yaml') as { global: { scrape_interval: string } };
  assert.deepEqual(
    datasources.map(({ type, url, jsonData }) => [type, url, jsonData.timeInterval]),
    [['prometheus', 'http://envoy:9090', global.scrape_interval]],
  );
});
