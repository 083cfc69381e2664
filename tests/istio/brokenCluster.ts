import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { availableComponents } from '../../harness/components/available.ts';
import { withServer } from '../../harness/registry/server.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { type Finished, runToEnd } from '../../scripts/program/run.ts';

const TIMEOUT_SECONDS = 2;
const refusal = (code: number, reason: string): string =>
  JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code, message: reason });

/** What an API server does with every question but the first; and what a real kubectl and `status` make of it. */
const FAULTS: readonly [what: string, answer: (response: ServerResponse) => void, said: RegExp][] = [
  ['gives no answer', () => undefined, /^not looked at: list wasmplugins: .*(?:deadline exceeded|request canceled)/m],
  [
    'ends every connection',
    (response) => response.destroy(),
    /^not looked at: list wasmplugins: Unable to connect to the server: EOF$/m,
  ],
  [
    'is cut in the middle of an answer',
    (response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('{"items":[');
      setTimeout(() => response.destroy(), 50);
    },
    /^not looked at: list wasmplugins: unexpected EOF$/m,
  ],
  [
    'trickles',
    (response) => {
      const timer = setInterval(() => response.write(' '), 100);
      response.on('close', () => clearInterval(timer));
    },
    /^not looked at: list wasmplugins: .*(?:deadline exceeded|request canceled)/m,
  ],
  [
    'shows a page to log in',
    (response) => void response.end('<html>'),
    /^not looked at: wasmplugins: the API server's answer is not JSON$/m,
  ],
  [
    'has a list without an end',
    (response) => void response.end(JSON.stringify({ items: [], metadata: { continue: 'more' } })),
    /^not looked at: wasmplugins: the API server's list does not end$/m,
  ],
  [
    'forbids everything',
    (response) => void response.writeHead(403).end(refusal(403, 'Forbidden')),
    /^not looked at: may not list wasmplugins; --namespace names where you may$/m,
  ],
  [
    'knows nobody any more',
    (response) => void response.writeHead(401).end(refusal(401, 'Unauthorized')),
    /^kubectl: You must be logged in to the server.*$/m,
  ],
  [
    'has faults of its own',
    (response) => void response.writeHead(500).end(refusal(500, 'InternalError')),
    /^not looked at: list wasmplugins: .*InternalError/m,
  ],
];

/** A real kubectl, and API servers that are slow, cut or lie: never exit code 0, never a stack, and never for long. */
export function brokenClusterTests(): void {
  describe('a broken cluster', () => {
    let folder = '';
    let kubectl = '';
    let skip: string | false = false;
    before(async () => {
      const found = await availableComponents(['kubectl']);
      if (found.skip !== false) return void (skip = found.skip);
      kubectl = found.paths.kubectl;
      folder = await mkdtemp(join(tmpdir(), 'tollgate-broken-'));
    });
    after(() => (folder === '' ? undefined : rm(folder, { recursive: true, force: true })));
    const shows = (what: string, test: () => Promise<void>): void =>
      void it(what, (context) => (skip === false ? test() : context.skip(skip)));

    const status = async (kubeconfig: string): Promise<Finished> => {
      const env = {
        ...process.env,
        HOME: folder,
        KUBECONFIG: kubeconfig,
        PATH: [dirname(kubectl), process.env['PATH']].join(delimiter),
      };
      const args = [inPackage('scripts', 'bin.mjs'), 'status', '--timeout', String(TIMEOUT_SECONDS)];
      return runToEnd(process.execPath, args, { env });
    };
    const configFor = async (server: string, user: object = {}): Promise<string> => {
      const path = join(folder, 'kubeconfig');
      const config = {
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'it',
        clusters: [{ name: 'it', cluster: { server } }],
        users: [{ name: 'it', user }],
        contexts: [{ name: 'it', context: { cluster: 'it', user: 'it' } }],
      };
      await writeFile(path, JSON.stringify(config));
      return path;
    };

    for (const [what, answer, said] of FAULTS)
      shows(`that ${what} is not taken for one without policies`, async () => {
        const server = createServer((request, response) =>
          request.url!.startsWith('/version') ? void response.end('{}') : answer(response),
        );
        const { code, stdout, stderr } = await withServer(server, async (host) =>
          status(await configFor(`http://${host}`)),
        );
        assert.match(stdout + stderr, said);
        assert.equal(code, 2);
        assert.doesNotMatch(stdout + stderr, /internal error|no policy of Tollgate in this cluster/);
      });

    shows('without a kubeconfig is named so', async () => {
      const { code, stdout, stderr } = await status(join(folder, 'nowhere'));
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /^kubectl: .*; no kubeconfig was found: set KUBECONFIG, or a current context\n$/);
    });

    shows('with a kubeconfig that is no YAML is named so', async () => {
      const path = join(folder, 'text');
      await writeFile(path, 'not: [yaml');
      const { code, stdout, stderr } = await status(path);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /^kubectl: error loading config file .*yaml: [^\n]*\n$/);
    });

    shows('whose program for credentials hangs is given up', async () => {
      const exec = {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: 'sleep',
        args: ['30'],
        interactiveMode: 'Never',
      };
      const { code, stderr } = await status(await configFor('https://127.0.0.1:1', { exec }));
      assert.equal(code, 2);
      assert.match(stderr, /kubectl: no answer within 2 s\n$/);
    });
  });
}
