import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import prettier from 'prettier';
import { NEWEST_WHEEL, OLDEST_WHEEL } from '../../scripts/envoy/find.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { ISTIO_LINE } from '../../harness/components/component.ts';
import { contentOf } from './sourceWords.ts';

const PAGE = 'docs/compatibility.md';
const VERSIONS = /(?<=<!-- versions -->\n)[^]*(?=<!-- \/versions -->)/;

/** The version of a Go module that a component pins. */
function pinned(component: string, module: string): string {
  const found = new RegExp(`^\\s*${module.replaceAll('.', '\\.')} v(\\S+)`, 'm').exec(
    contentOf(`harness/components/${component}/go.mod`),
  );
  assert.ok(found, `${component}/go.mod pins no ${module}`);
  return found[1]!;
}

/** `0.0.0-20260827124520-eed52ebb66ad` → `commit eed52ebb66ad of 2026-08-27`. */
function commitOf(version: string): string {
  const found = /-(?:0\.)?(\d{4})(\d\d)(\d\d)\d{6}-([0-9a-f]{12})$/.exec(version);
  return found === null ? version : `commit ${found[4]} of ${found[1]}-${found[2]}-${found[3]}`;
}

function nodes(): string {
  const matrix = /matrix: \{ node: \[(.*?)\] \}/.exec(contentOf('.github/workflows/ci.yml'))?.[1] ?? '';
  const tried = [...matrix.matchAll(/'(\d+)'/g)].map((match) => match[1]);
  assert.ok(tried.length > 1, 'the versions of Node.js were found');
  const { engines } = JSON.parse(contentOf('package.json')) as { engines: { node: string } };
  return `${tried.join(', ')} (needed: ${engines.node.replace('>=', '')} or newer)`;
}

function table(): string {
  const istio = commitOf(pinned('istio', 'istio.io/istio'));
  const rows = [
    [
      'Envoy',
      `${OLDEST_WHEEL} and ${NEWEST_WHEEL}`,
      'every case and fault; attacks and mesh-wide quotas on the newer one',
    ],
    ['Istio', `${ISTIO_LINE}, ${istio}`, 'gateways, sidecars, Gateway API, roll-outs, failures; the pull of images'],
    ['Kubernetes', pinned('kube', 'k8s.io/kubernetes'), 'every emitted resource, strictly; nothing but the API server'],
    ['Gateway API', pinned('istio', 'sigs.k8s.io/gateway-api'), 'Gateway, HTTPRoute'],
    ['envoyproxy/ratelimit', commitOf(pinned('ratelimit', 'github.com/envoyproxy/ratelimit')), 'mesh-wide quotas'],
    ['Node.js', nodes(), 'the tool, and as a library'],
  ];
  return `\n| what | versions | what runs on it |\n| --- | --- | --- |\n${rows.map((row) => `| ${row.join(' | ')} |\n`).join('')}\n`;
}

test(`${PAGE} has the versions that the suites run on`, async () => {
  const current = contentOf(PAGE);
  assert.match(current, VERSIONS);
  const options = await prettier.resolveConfig(inPackage(PAGE));
  const wanted = await prettier.format(current.replace(VERSIONS, table()), { ...options, parser: 'markdown' });
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(inPackage(PAGE), wanted);
  const shown = (page: string): string => VERSIONS.exec(page)![0];
  assert.equal(shown(contentOf(PAGE)), shown(wanted), 'UPDATE_GOLDEN=1 rewrites it');
});
