import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { PolicyServer } from '../../scripts/envoy/policyServer.ts';
import { currentModule } from '../../scripts/build/module.ts';
import { available } from '../../harness/envoy/available.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { eventually } from '../../harness/envoy/toolProcess.ts';

const found = await available();
const OVERRIDES = new Map(['v1', 'v2'].map((name) => [name, 'http://127.0.0.1:1']));

describe('a policy that changes while Envoy starts', { skip: found.skip }, () => {
  let folder: string;
  let file: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tollgate-follow-'));
    file = join(folder, 'policy.yaml');
    await release(testPolicy());
    await symlink(join('..data', 'policy.yaml'), file);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** As Kubernetes updates a ConfigMap: all at once, by the switch of a link that is not the file. */
  async function release(text: string): Promise<void> {
    const name = await mkdtemp(join(folder, '..release-'));
    await mkdir(name, { recursive: true });
    await writeFile(join(name, 'policy.yaml'), text);
    await symlink(name, join(folder, '..next'));
    await rename(join(folder, '..next'), join(folder, '..data'));
  }

  for (const when of ['before it is watched', 'right after that']) {
    it(`is in force, switched ${when}`, async () => {
      if (found.skip !== false) return;
      const notices: string[] = [];
      const report = {
        access: () => undefined,
        log: () => undefined,
        notice: (text: string) => void notices.push(text),
      };
      const { path } = await currentModule();
      const server = await PolicyServer.start(
        { file, envoy: found.envoy, module: path, concurrency: 1, port: 0, adminPort: 0, overrides: OVERRIDES },
        report,
      );
      try {
        if (when === 'right after that') server.watch();
        await release(testPolicy({ limit: when === 'right after that' ? 77 : 66 }));
        if (when !== 'right after that') server.watch();
        await eventually(
          () => (notices.some((text) => /in force: plan counted changed/.test(text)) ? true : null),
          () => `lost; heard ${notices.join()}`,
          5000,
        );
      } finally {
        await server.stop();
      }
    });
  }
});
