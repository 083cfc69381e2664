import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, it } from 'node:test';
import { blocksOf, isAsShown, stepsOf } from '../../harness/page/block.ts';
import { Shell } from '../../harness/page/shell.ts';
import { scratchFolder } from '../../harness/scratch.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { tollgate } from './fakeIo.ts';
import { TYPED_PAGES } from './typedPages.ts';

const IMAGE = `oci://registry.example/team/tollgate@sha256:${'ab'.repeat(32)}`;

/** What the pages' reader has: a policy that targets a gateway and two namespaces, and keys from elsewhere. */
const POLICY = `policy: petstore
targets:
  - gateway: { namespace: istio-system, selector: { istio: ingressgateway }, gateways: [istio-system/ingress] }
  - namespace: shop
  - namespace: shop-staging
upstreams:
  pets: { service: { host: pets.shop.svc.cluster.local, port: 8080 } }
apis:
  pets: { paths: [/v1], plans: [free], upstream: pets }
plans:
  free: { quotas: { per-minute: { limit: 5, window: minute } } }
consumers:
  acme: { plan: free }
`;
const KEYS = 'consumer,key,id,plan,until\nacme,s3cr3t-of-acme,main,,\ninitech,another-one,,free,2030-01-31\n';

describe('the commands of a page, as a reader types them', () => {
  for (const [page, programs] of Object.entries(TYPED_PAGES))
    it(page, async (context) => {
      const missing = programs.filter((program) => spawnSync(program, ['--version']).error !== undefined);
      if (missing.length > 0) {
        assert.notEqual(process.env['CI'], 'true', `no ${missing.join(', ')} here`);
        return context.skip(`no ${missing.join(', ')} here`);
      }
      const folder = await desk();
      const shell = new Shell(folder, {
        ...process.env,
        PATH: [folder, process.env['PATH']].join(delimiter),
        IMAGE,
        NEW_IMAGE: IMAGE,
        MANPAGER: 'cat',
        MAN_KEEP_FORMATTING: '',
      });
      try {
        const steps = blocksOf(page)
          .filter(({ mark }) => mark === 'run')
          .flatMap(stepsOf);
        assert.ok(steps.length > 0);
        for (const { line, command, printed: shown } of steps) {
          // in a checkout, npx runs the same
          const printed = await shell.run(command.replaceAll('npx tollgate', 'tollgate'));
          if (shown !== null && shown.trim() !== '')
            assert.ok(isAsShown(anyKey(shown), anyKey(printed)), `${page}:${line}: ${command}\nprinted\n${printed}`);
          EXPECTED[command.trim().split('#')[0]!.trim()]?.(printed);
        }
      } finally {
        shell.end();
      }
    });
});

/** What has to come of commands whose output a page does not show. */
const EXPECTED: Readonly<Record<string, (printed: string) => void>> = {
  'npx tollgate help --man | man -l -': (printed) => assert.match(printed, /^TOLLGATE\(1\) /m),
  'npx tollgate version --json | jq -r .module.sha256': (printed) => assert.match(printed, /^[0-9a-f]{64}$/m),
  'npx tollgate fmt policies/*.yaml': (printed) => assert.equal(printed, 'policies/petstore.yaml\n'),
};

async function desk(): Promise<string> {
  const folder = scratchFolder();
  symlinkSync(inPackage('scripts', 'bin.mjs'), join(folder, 'tollgate'));
  writeFileSync(join(folder, 'petstore.policy.yaml'), POLICY);
  writeFileSync(join(folder, 'keys.csv'), KEYS);
  mkdirSync(join(folder, 'policies'));
  writeFileSync(join(folder, 'policies', 'petstore.yaml'), POLICY.replace('apis:', '\n\n\napis:'));
  const emitted = await tollgate([
    'emit',
    join(folder, 'petstore.policy.yaml'),
    '--image',
    IMAGE,
    '-o',
    join(folder, 'wasmplugins', 'petstore'),
  ]);
  assert.equal(emitted.code, 0, emitted.err);
  const git = (...args: string[]): void =>
    void spawnSync('git', ['-c', 'init.defaultBranch=main', ...args], { cwd: folder });
  git('init', '--quiet');
  git('config', 'user.name', 'Reader');
  git('config', 'user.email', 'reader@example.com');
  return folder;
}

/** Keys, their ids and times are different each time. */
function anyKey(text: string): string {
  return text
    .replace(/tg_\w{8}_\w+/g, 'KEY')
    .replace(/\bkey \w{8} of/g, 'key ID of')
    .replace(/until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'until TIME');
}
