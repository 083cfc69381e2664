import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { describe, it } from 'node:test';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { available } from '../../harness/envoy/available.ts';
import { freePort, ToolProcess } from '../../harness/envoy/toolProcess.ts';

const found = await available();
const POLICY = inPackage('examples', 'petstore.policy.yaml');

describe('tollgate demo', { skip: found.skip }, () => {
  it('plays the tour: every request answers as it should, and the example is left as it was', async () => {
    const before = await readFile(POLICY, 'utf8');
    const tool = new ToolProcess(['demo', '--tour']);
    const { code } = await tool.exited;
    assert.equal(code, 0, tool.out + tool.err);
    assert.match(tool.out, /all 6 steps answered as they should/);
    assert.equal(tool.out.includes('✗'), false);
    assert.equal(await readFile(POLICY, 'utf8'), before);
  });

  it('prints keys that work, and command lines that answer as it says', async () => {
    const port = await freePort();
    const tool = new ToolProcess(['demo', '--port', String(port)]);
    try {
      await tool.says(/Ctrl-C stops/);
      const lines = tool.out.split('\n').filter((line) => line.trim().startsWith('curl -i'));
      assert.deepEqual(await Promise.all(lines.map(statusOf)), [401, 200, 200]);
      await tool.says(/reason=allowed .*consumer=/);
      assert.equal(/tg_/.test(tool.out.slice(tool.out.indexOf('Ctrl-C stops'))), false, 'a key in the access log');
    } finally {
      await tool.end();
    }
  });
});

/** Status of what a printed command line asks for. */
function statusOf(line: string): Promise<number | undefined> {
  const headers = [...line.matchAll(/-H '([^:]+): ([^']*)'/g)].map(([, name, value]): [string, string] => [
    name!,
    value!,
  ]);
  const url = new URL(/'?(http:[^' ]+)/.exec(line)![1]!);
  return new Promise((resolve, reject) => {
    get(
      {
        host: url.hostname,
        port: url.port,
        path: url.pathname + url.search,
        headers: Object.fromEntries(headers),
        agent: false,
      },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    ).on('error', reject);
  });
}
