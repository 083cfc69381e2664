/**
 * Run by network.test.ts in a network namespace, where public, private and metadata addresses are all this machine: pushes to a public
 * registry that sends its client to all kinds of addresses, and prints the results as JSON.
 */
import { createServer, type ServerResponse } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { outcome, unseen } from '../../harness/registry/hostile.ts';
import { writeModule } from '../../harness/registry/wasmFixture.ts';

export interface Scene {
  readonly way: string;
  readonly to: string;
  readonly allowed: boolean;
  readonly error: string;
  /** Requests that arrived at addresses that are not public. */
  readonly inner: readonly string[];
  readonly retries: number;
}

const PORT = 8080;
const INNER = ['127.0.0.1', '10.0.0.1', '169.254.169.254'];
const TARGETS = [
  ...INNER,
  '[::ffff:169.254.169.254]',
  '2852039166',
  '0x7f000001',
  'localhost',
  'inside.example.com',
  'metadata.example.com',
  'here.example.com',
];

const inner: string[] = [];
let way = 'honest';
let to = '';

function registry(method: string, url: string, authorization: string | undefined, response: ServerResponse): void {
  const there = `http://${to}:${PORT}`;
  const wantsToken = way === 'realm' || way === 'token redirect';
  if (way === 'greeting') response.writeHead(307, { location: `${there}/v2/` }).end();
  else if (url.startsWith('/token')) response.writeHead(307, { location: `${there}/token` }).end();
  else if (wantsToken && authorization === undefined)
    response
      .writeHead(401, {
        'www-authenticate': `Bearer realm="${way === 'realm' ? there : `http://registry.example.com:${PORT}`}/token"`,
      })
      .end();
  else if (method === 'POST')
    response
      .writeHead(202, {
        location: `${way === 'upload' ? there : `http://storage.example.net:${PORT}`}/put?signature=x`,
      })
      .end();
  else if (method === 'PUT') response.writeHead(201).end();
  else if (way === 'look-up' && method === 'HEAD') response.writeHead(307, { location: `${there}/look` }).end();
  else response.writeHead(url === '/v2/' ? 200 : 404).end();
}

function listen(
  address: string,
  answer: (method: string, url: string, authorization: string | undefined, response: ServerResponse) => void,
): Promise<void> {
  return new Promise((resolve) => {
    createServer((request, response) => {
      request
        .resume()
        .on('end', () => answer(request.method ?? '', request.url ?? '', request.headers.authorization, response));
    }).listen(PORT, address, resolve);
  });
}

const folder = mkdtempSync(join(tmpdir(), 'tollgate-scene-'));
const made = await unseen((fill) => writeModule(folder, 1000, fill));

async function play(allowedHosts: string[]): Promise<Scene> {
  inner.length = 0;
  const { error, notes } = await outcome(`oci://registry.example.com:${PORT}/x`, made, null, {
    plainHttp: true,
    allowedHosts,
  });
  // nothing is stored there, so the push is expected to end because the manifest is missing
  const end = error.includes('digest mismatch: the registry stored nothing') ? '' : error;
  return {
    way,
    to,
    allowed: allowedHosts.length > 0,
    error: end,
    inner: [...inner],
    retries: notes.filter((note) => note.includes('trying again')).length,
  };
}

await listen('8.8.8.8', registry);
await listen(
  '1.1.1.1',
  (method, _url, _authorization, response) => void response.writeHead(method === 'PUT' ? 201 : 404).end(),
);
for (const address of INNER) {
  await listen(address, (method, url, _authorization, response) => {
    inner.push(`${method} ${address}${url}`);
    response.writeHead(method === 'PUT' ? 201 : 200).end('{"token":"the-metadata-of-a-cloud"}');
  });
}

const scenes: Scene[] = [await play([])];
for (const one of ['realm', 'upload', 'look-up', 'greeting', 'token redirect']) {
  for (const target of TARGETS) {
    [way, to] = [one, target];
    scenes.push(await play([]));
  }
}
for (const [one, target] of [
  ['upload', 'inside.example.com'],
  ['realm', 'here.example.com'],
] as const) {
  [way, to] = [one, target];
  scenes.push(await play([to]));
}
rmSync(folder, { recursive: true });
process.stdout.write(JSON.stringify(scenes), () => process.exit(0));
