import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { load, loadAll } from 'js-yaml';
import { findComponent } from '../../harness/components/find.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';
import type { Kubectl } from '../../scripts/cluster/kubectl.ts';
import { liveDrift } from '../../scripts/diff/live.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import type { Resource } from '../../scripts/istio/index.ts';
import { runToEnd } from '../../scripts/program/run.ts';
import { type Run, tollgate } from './fakeIo.ts';

const IMAGE = `oci://registry.example/tollgate@sha256:${'ab'.repeat(32)}`;
const POLICY = inPackage('wasmplugins', 'ingress-gateway', 'policy.yaml');
const MESH_QUOTAS = inPackage('wasmplugins', 'mesh-quotas', 'policy.yaml');
const OTHER = inPackage('wasmplugins', 'namespace-sidecars', 'policy.yaml');
const KUSTOMIZATION = 'kustomization.yaml';

function emit(out: string, ...more: string[]): Promise<Run> {
  return tollgate(['emit', POLICY, '--image', IMAGE, '-o', out, ...more]);
}

async function emitted(...more: string[]): Promise<Resource[]> {
  const { code, out, err } = await emit('-', ...more);
  assert.equal(code, 0, err);
  return loadAll(out) as Resource[];
}

const WAVE = 'argocd.argoproj.io/sync-wave';

describe('labels and annotations of your own', () => {
  it('stand on every resource, beside those of Tollgate', async () => {
    const plain = await emitted();
    const marked = await emitted(
      '--label',
      'team=pay',
      '--label',
      'example.com/tier=',
      '--annotation',
      'note=a=b: "c"',
    );
    assert.deepEqual(
      marked.map(({ metadata: { labels, annotations } }) => [labels, annotations]),
      plain.map(({ metadata: { labels, annotations } }) => [
        { ...labels, team: 'pay', 'example.com/tier': '' },
        { ...annotations, note: 'a=b: "c"' },
      ]),
    );
    assert.deepEqual(
      marked.map(({ spec }) => spec),
      plain.map(({ spec }) => spec),
    );
  });

  it('are gone when they are no longer asked for, on subsets that an earlier table had too', async () => {
    const out = join(scratchFolder(), 'out');
    const text = readFileSync(POLICY, 'utf8');
    await emit(out, '--label', 'team=pay', '--sync-waves', '5');
    const file = scratchFile(scratchFolder(), text.replace(/, subset: \w+, labels: \{[^}]*\}/g, ''));
    assert.equal((await tollgate(['emit', file, '--image', IMAGE, '-o', out])).code, 0);
    assert.equal(readdirSync(out).length, 3);
    for (const name of readdirSync(out)) {
      const { metadata } = load(readFileSync(join(out, name), 'utf8')) as Resource;
      assert.equal(metadata.labels['team'], undefined, name);
      assert.equal(metadata.annotations?.[WAVE], name.startsWith('3') ? '1' : undefined, name);
    }
  });

  it('are refused where Kubernetes would refuse them, or where they are somebody else', async () => {
    const long = 'x'.repeat(64);
    for (const [option, text, rule] of [
      ['--label', 'a b=c', /^label "a b": must be a Kubernetes name such as team or example\.com\/team$/],
      ['--label', 'a/b/c=d', /^label "a\/b\/c": must be a Kubernetes name/],
      ['--label', '/b=d', /^label "\/b": must be a Kubernetes name/],
      ['--label', 'Example.com/b=d', /must be a Kubernetes name/],
      ['--label', `${long}=d`, /must be a Kubernetes name/],
      ['--label', `${'a.'.repeat(127)}a/b=d`, /must be a Kubernetes name/],
      ['--label', 'a=b c', /^label a: must be a label's value: .*; found "b c"$/],
      ['--label', `a=${long}`, /must be a label's value/],
      ['--label', 'a=-b', /must be a label's value/],
      ['--label', 'a=é', /must be a label's value/],
      ['--label', 'app.kubernetes.io/instance=x', /^label app\.kubernetes\.io\/instance: is Tollgate's own$/],
      ['--label', 'kubernetes.io/x=y', /is Kubernetes' own$/],
      ['--annotation', 'kubectl.kubernetes.io/last-applied-configuration={}', /is Kubernetes' own$/],
      ['--annotation', 'foo.k8s.io/x=y', /is Kubernetes' own$/],
      ['--annotation', `${WAVE}=3`, /: is set by --sync-waves, because tables must come before plugins$/],
      ['--annotation', 'argocd.argoproj.io/tracking-id=x', /is Argo CD's own$/],
      ['--label', 'kustomize.toolkit.fluxcd.io/name=x', /is Flux's own$/],
      [
        '--annotation',
        `a=${'x'.repeat(140_000)}`,
        /^annotations: must have at most 131072 bytes together; found 140001$/,
      ],
    ] as const) {
      const { code, out, err } = await emit('-', option, text);
      assert.deepEqual([code, out], [1, ''], text.slice(0, 80));
      assert.match(err.trimEnd().split('\n').at(-1)!, rule);
    }
    for (const wrong of ['a', '=b'])
      assert.match((await emit('-', '--label', wrong)).err, /^tollgate emit: --label is NAME=VALUE; found "/);
  });

  it('of domains that everybody may use pass', async () => {
    const [first] = await emitted(
      '--label',
      'app.kubernetes.io/part-of=shop',
      '--label',
      'istio.io/rev=canary',
      '--annotation',
      'kustomize.toolkit.fluxcd.io/prune=disabled',
      '--annotation',
      'argocd.argoproj.io/sync-options=Prune=false',
    );
    assert.equal(first!.metadata.labels['istio.io/rev'], 'canary');
    assert.equal(first!.metadata.annotations!['argocd.argoproj.io/sync-options'], 'Prune=false');
  });
});

test('--sync-waves puts what tables need before tables, and tables before plugins', async () => {
  const waves = async (policy: string, ...more: string[]): Promise<unknown> => {
    const { out } = await tollgate(['emit', policy, '--image', IMAGE, '-o', '-', ...more]);
    return (loadAll(out) as Resource[]).map(({ kind, metadata }) => [kind, metadata.annotations?.[WAVE]]);
  };
  assert.deepEqual(await waves(POLICY, '--sync-waves', '10'), [
    ['DestinationRule', '10'],
    ['VirtualService', '11'],
    ['WasmPlugin', '12'],
  ]);
  assert.deepEqual(await waves(MESH_QUOTAS, '--sync-waves=-2'), [
    ['ConfigMap', '-2'],
    ['VirtualService', '-1'],
    ['WasmPlugin', '0'],
  ]);
  assert.deepEqual(await waves(POLICY), [
    ['DestinationRule', undefined],
    ['VirtualService', undefined],
    ['WasmPlugin', '1'],
  ]);
  for (const wrong of ['x', '1.5', '1e3', '']) assert.equal((await emit('-', `--sync-waves=${wrong}`)).code, 2, wrong);
});

describe('--kustomization', () => {
  const listed = (out: string): string[] =>
    (load(readFileSync(join(out, KUSTOMIZATION), 'utf8')) as { resources: string[] }).resources;

  it('lists what the folder holds, of several policies, and every later emit keeps it true', async () => {
    const out = join(scratchFolder(), 'out');
    const first = await emit(out, '--kustomization');
    assert.match(first.out, /^new {7}.*kustomization\.yaml \(\d+ bytes\)$/m);
    assert.equal((await emit(out, '--kustomization', '--check')).code, 0);
    assert.equal((await emit(out, '--check')).code, 0);
    writeFileSync(join(out, 'mine.yaml'), 'kind: ConfigMap\n');
    await tollgate(['emit', OTHER, '--image', IMAGE, '-o', out]);
    assert.deepEqual(
      listed(out),
      readdirSync(out)
        .filter((name) => !['mine.yaml', KUSTOMIZATION].includes(name))
        .sort(),
    );
    assert.equal(listed(out).length, 4);
    await emit(out, '--kind', 'TrafficExtension');
    assert.equal(listed(out).filter((name) => name.includes('trafficextension')).length, 1);
    assert.equal(listed(out).length, 4);
    writeFileSync(join(out, KUSTOMIZATION), readFileSync(join(out, KUSTOMIZATION), 'utf8').replace(/ {2}- .*\n/, ''));
    assert.equal((await emit(out, '--kind', 'TrafficExtension', '--check')).code, 1);
  });

  it('of somebody else stays, and is refused where one is asked for', async () => {
    const out = join(scratchFolder(), 'out');
    await emit(out);
    writeFileSync(join(out, KUSTOMIZATION), 'resources: []\n');
    assert.equal((await emit(out)).code, 0);
    const { code, err } = await emit(out, '--kustomization');
    assert.deepEqual(
      [code, err],
      [1, `${join(out, KUSTOMIZATION)}: exists and was not made by "tollgate emit"; move it\n`],
    );
    assert.equal(readFileSync(join(out, KUSTOMIZATION), 'utf8'), 'resources: []\n');
  });

  it('needs a folder', async () => {
    assert.equal((await emit('-', '--kustomization')).code, 2);
  });

  it('is taken by kustomize, which keeps the order', async (t) => {
    const kubectl = (await findComponent('kubectl')) ?? 'kubectl';
    const out = join(scratchFolder(), 'out');
    await emit(out, '--kustomization', '--label', 'team=pay');
    const { code, stdout, stderr } = await runToEnd(kubectl, ['kustomize', out]);
    if (code === null) return t.skip('no kubectl here');
    assert.equal(code, 0, stderr);
    const files = listed(out).map((name) => load(readFileSync(join(out, name), 'utf8')));
    assert.deepEqual(loadAll(stdout), files);
  });
});

test('diff --live asks by the kustomization where there is one, and takes no bookkeeping of other tools for a difference', async () => {
  const out = join(scratchFolder(), 'out');
  await emit(out, '--kustomization', '--label', 'team=pay');
  const object = { kind: 'WasmPlugin', metadata: { name: 'a', namespace: 'n', labels: { team: 'pay' } }, spec: {} };
  const live = {
    ...object,
    metadata: {
      ...object.metadata,
      labels: { team: 'pay', 'kustomize.toolkit.fluxcd.io/name': 'apps', theirs: 'x' },
      annotations: { 'argocd.argoproj.io/tracking-id': 'x', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
    },
  };
  const asked: string[] = [];
  const ask: Kubectl = (args) => {
    asked.push(args.join(' '));
    return Promise.resolve({ code: 0, stdout: JSON.stringify(args[0] === 'get' ? live : object), stderr: '' });
  };
  assert.deepEqual(await liveDrift(out, ask), [
    { object: 'WasmPlugin n/a', path: 'metadata.labels.theirs', wanted: undefined, live: '"x"' },
  ]);
  assert.ok(
    asked.every((call) => call.includes(`--kustomize=${out}`)),
    asked.join('\n'),
  );
});

test('diff --resource sees no difference of meaning in labels, annotations and waves', async () => {
  const out = join(scratchFolder(), 'out');
  await emit(out, '--label', 'team=pay', '--annotation', 'a=b', '--sync-waves', '3', '--kustomization');
  const [plugin] = readdirSync(out).filter((name) => name.startsWith('3-'));
  assert.deepEqual(await tollgate(['diff', '--resource', join(out, plugin!), POLICY, '--exit-code']), {
    code: 0,
    out: 'no differences\n',
    err: '',
  });
});
