import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, before, describe, it } from 'node:test';
import { startEcho } from '../../scripts/upstream/echo.ts';
import { Authority, type Leaf } from '../../harness/envoy/authority.ts';
import { available } from '../../harness/envoy/available.ts';
import { GrpcClient, startGrpcUpstream, type GrpcAnswer, type GrpcUpstream } from '../../harness/envoy/grpcUpstream.ts';
import { digestOf, steadyWindow } from '../../harness/envoy/testPolicy.ts';
import { freePort, ToolProcess } from '../../harness/envoy/toolProcess.ts';
import { requestBytes, sendRaw, type WireReply } from '../../harness/envoy/wireClient.ts';
import { lacking } from '../../harness/registry/component.ts';
import { scratchFolder } from '../../harness/scratch.ts';

const found = await available();
const skip = found.skip || (await lacking('openssl'));
const KEY = 'rich-secret-key';
const GOOD = 'DNS:localhost,IP:127.0.0.1';

function policyOf(upstream: string): string {
  return `policy: greeter
upstreams: { greeter: ${upstream} }
apis:
  greeter: { paths: [/demo.Greeter], plans: [few], upstream: greeter }
plans: { few: { quotas: { main: { limit: 3, window: ${steadyWindow()} } } } }
consumers:
  rich: { plan: few, keys: [{ id: rich-1, digest: "${digestOf(KEY)}" }] }
`;
}

describe('what upstreams speak', { skip }, () => {
  const folder = scratchFolder();
  const file = join(folder, 'greeter.policy.yaml');
  let authority: Authority;
  let tool: ToolProcess | null = null;
  const closers: (() => Promise<void>)[] = [];
  before(async () => {
    authority = await Authority.make(folder);
  });
  afterEach(async () => {
    await tool?.end();
    tool = null;
    for (const close of closers.splice(0)) await close();
  });

  it('carries gRPC to an upstream of h2c://, unary and streaming, and refuses with a status of gRPC', async () => {
    const { port: there, calls } = await grpc();
    const port = await serve(`{ url: "h2c://127.0.0.1:${there}" }`);
    await carriesGrpc(port);
    assert.equal(calls[0]?.['x-tollgate-consumer'], 'rich');
    assert.equal(calls[0]?.te, 'trailers');
    // an edit puts another protocol in force
    const echo = await startEcho('echo');
    closers.push(() => echo.close());
    writeFileSync(file, policyOf(`{ url: "http://127.0.0.1:${echo.port}" }`).replace('limit: 3', 'limit: 9'));
    await tool!.says(/in force: upstream greeter changed|in force: plan few changed, upstream greeter changed/);
    assert.equal((await plain(port))?.status, 200);
  });

  it('carries gRPC to an upstream of https://, whose certificate the authority of the policy has signed', async () => {
    const { port: there } = await grpc(await authority.certify('good', GOOD));
    await carriesGrpc(await serve(`{ url: "https://localhost:${there}", tls: { ca: ca.pem } }`));
  });

  it('speaks HTTP/1.1 with TLS where the upstream offers nothing else', async () => {
    const leaf = await authority.certify('one', GOOD);
    const server = createServer({ ...leaf, ALPNProtocols: ['http/1.1'] }, (request, response) =>
      response.end(`HTTP/${request.httpVersion} ${request.headers.host}`),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => void server.close(() => resolve())));
    const { port: there } = server.address() as AddressInfo;
    const port = await serve(`{ url: "https://127.0.0.1:${there}", tls: { ca: ca.pem } }`);
    assert.equal((await plain(port))?.body, 'HTTP/1.1 any');
  });

  it('verifies another name than the host of the URL where the policy says so, and nothing where it is insecure', async () => {
    const other = await grpc(await authority.certify('other', 'DNS:*.other.test'));
    const named = await serve(
      `{ url: "https://127.0.0.1:${other.port}", tls: { ca: ca.pem, serverName: a.other.test } }`,
    );
    assert.equal((await call(named, 'a')).status, 0);
    await tool!.end();
    const expired = await grpc(await authority.certify('old', 'DNS:other.test', -1));
    const open = await serve(`{ url: "https://127.0.0.1:${expired.port}", tls: { insecure: true } }`);
    assert.equal((await call(open, 'a')).status, 0);
    assert.match(
      tool!.err,
      /^tollgate: accepts any certificate of upstream greeter \(tls\.insecure\), so nobody knows/m,
    );
  });

  it('shows an upstream the host that the policy says, with and without another path, and others what came', async () => {
    const echo = await startEcho('echo');
    closers.push(() => echo.close());
    const url = `url: "http://localhost:${echo.port}"`;
    writeFileSync(
      file,
      `policy: hosts
unmatched: allow
upstreams:
  own: { ${url}, hostRewrite: true }
  other: { ${url}, hostRewrite: pets.example.com }
  same: { ${url} }
apis:
  own: { paths: [/own], anonymous: allow, upstream: own }
  other:
    paths: [/other]
    anonymous: allow
    upstream: other
    routes:
      - { name: moved, when: { path: /other/old }, rewritePrefix: /new }
      - { name: same, when: { path: /other/same }, upstream: same }
`,
    );
    tool = new ToolProcess(['run', file, '--port', String(await freePort())]);
    const port = await tool.port();
    const seenAt = async (path: string): Promise<unknown[]> => {
      const reply = await sendRaw(port, requestBytes({ method: 'GET', path, host: 'api.test:8080', headers: [] }));
      const seen = JSON.parse(reply!.body) as { path: string; headers: Record<string, string> };
      return [seen.path, seen.headers['host']];
    };
    assert.deepEqual(await seenAt('/own'), ['/own', 'localhost']);
    assert.deepEqual(await seenAt('/other/x'), ['/other/x', 'pets.example.com']);
    assert.deepEqual(await seenAt('/other/old/1'), ['/new/1', 'pets.example.com']);
    assert.deepEqual(await seenAt('/other/same'), ['/other/same', 'api.test:8080']);
    assert.deepEqual(await seenAt('/nowhere'), ['/nowhere', 'localhost']);
  });

  const REFUSED: [what: string, subjects: string, days: number, tls: string, RegExp][] = [
    ['of an authority that the system does not know', GOOD, 2, '', /unable_to_get_local_issuer_certificate/],
    ['that has expired', GOOD, -1, ', tls: { ca: ca.pem }', /certificate_has_expired/],
    ['for another name', 'DNS:other.test', 2, ', tls: { ca: ca.pem }', /certificate_SANs_are_\[other\.test\]/],
  ];
  for (const [what, subjects, days, tls, details] of REFUSED) {
    it(`answers 503, or status 14, for a certificate ${what}, and the log says why`, async () => {
      const { port: there } = await grpc(await authority.certify('bad', subjects, days));
      const port = await serve(`{ url: "https://127.0.0.1:${there}"${tls} }`);
      assert.equal((await plain(port))?.status, 503);
      assert.equal((await call(port, 'a')).status, 14);
      assert.match((await tool!.says(/GET \/demo\.Greeter 503 .*/))[0], /CERTIFICATE_VERIFY_FAILED/);
      // 1.36 does not say why
      if (found.skip === false && !found.envoy.version.startsWith('1.36.')) assert.match(tool!.out, details);
    });
  }

  it('takes the authorities of $SSL_CERT_FILE for those of the system', async () => {
    const { port: there } = await grpc(await authority.certify('good', GOOD));
    const port = await serve(`{ url: "https://127.0.0.1:${there}" }`, { SSL_CERT_FILE: authority.path });
    assert.equal((await call(port, 'a')).status, 0);
  });

  it('answers 502 or 503 where the upstream speaks something else, and the log says which', async () => {
    const echo = await startEcho('echo');
    closers.push(() => echo.close());
    const { port: two } = await grpc();
    const { port: secure } = await grpc(await authority.certify('good', GOOD));
    const mistakes: [url: string, status: number, details: string][] = [
      [`h2c://127.0.0.1:${echo.port}`, 502, '{protocol_error}'],
      [`http://127.0.0.1:${two}`, 502, '{protocol_error}'],
      [`https://127.0.0.1:${echo.port}`, 503, ':WRONG_VERSION_NUMBER:'],
      [`http://127.0.0.1:${secure}`, 503, '{connection_termination}'],
    ];
    for (const [url, status, details] of mistakes) {
      const port = await serve('{ url: "http://127.0.0.1:1" }', {}, '--upstream', `greeter=${url}`);
      assert.equal((await plain(port))?.status, status, url);
      const [line] = await tool!.says(/GET \/demo\.Greeter 50[23] .*/);
      assert.ok(line.includes(details), `${url}: ${line}`);
      await tool!.end();
    }
  });

  it('prints a bootstrap with the authorities inside, and nothing else that lies in their file', async () => {
    const key = readFileSync(join(folder, 'ca-key.pem'), 'utf8');
    writeFileSync(join(folder, 'both.pem'), `${key}${readFileSync(authority.path, 'utf8')}`);
    writeFileSync(file, policyOf('{ url: "https://pets.test", tls: { ca: both.pem } }'));
    tool = new ToolProcess(['run', file, '--print-bootstrap']);
    assert.equal((await tool.exited).code, 0, tool.err);
    const [cluster] = (JSON.parse(tool.out) as { static_resources: { clusters: object[] } }).static_resources.clusters;
    const text = JSON.stringify(cluster);
    assert.match(text, /"port_value":443/);
    assert.match(text, /"sni":"pets\.test"/);
    assert.match(text, /-----BEGIN CERTIFICATE-----/);
    assert.doesNotMatch(text, /PRIVATE KEY/);
  });

  const FILES: [name: string, content: string | null, rule: string][] = [
    ['none.pem', null, 'no such file'],
    ['empty.pem', '', 'must hold certificates as PEM: -----BEGIN CERTIFICATE-----'],
    [
      'broken.pem',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      'certificate 1 must be one that can be read',
    ],
  ];
  for (const [name, content, rule] of FILES) {
    it(`does not start with ${name} for authorities`, async () => {
      if (content !== null) writeFileSync(join(folder, name), content);
      writeFileSync(file, policyOf(`{ url: "https://pets.test", tls: { ca: ${name} } }`));
      tool = new ToolProcess(['run', file, '--port', String(await freePort())]);
      assert.equal((await tool.exited).code, 1);
      assert.equal(tool.err, `upstream greeter: tls.ca ${join(folder, name)}: ${rule}\n`);
    });
  }

  /** A call of one message, one of several in turn, one that the upstream fails, one over the limit, and one without a key. */
  async function carriesGrpc(port: number): Promise<void> {
    assert.deepEqual(await call(port, 'hello'), { messages: ['echo: hello'], status: 0, text: '' });
    const stream = ['one', 'two', 'three'];
    assert.deepEqual(await call(port, ...stream), { messages: stream.map((m) => `echo: ${m}`), status: 0, text: '' });
    assert.deepEqual(await call(port, 'one', 'fail'), { messages: ['echo: one'], status: 9, text: '' });
    const over = await call(port, 'hello');
    assert.deepEqual([over.status, over.messages], [8, []]);
    const nobody = await callAs({}, port, 'hello');
    assert.deepEqual([nobody.status, nobody.text], [16, 'The request carries no API key.']);
  }

  async function grpc(leaf?: Leaf): Promise<GrpcUpstream> {
    const upstream = await startGrpcUpstream(leaf);
    closers.push(() => upstream.close());
    return upstream;
  }

  async function serve(upstream: string, env: NodeJS.ProcessEnv = {}, ...more: string[]): Promise<number> {
    writeFileSync(file, policyOf(upstream));
    tool = new ToolProcess(['run', file, '--port', String(await freePort()), ...more], env);
    return tool.port();
  }

  function call(port: number, ...messages: string[]): Promise<GrpcAnswer> {
    return callAs({ 'x-api-key': KEY }, port, ...messages);
  }

  async function callAs(metadata: Record<string, string>, port: number, ...messages: string[]): Promise<GrpcAnswer> {
    const client = new GrpcClient(port);
    try {
      return await client.call('/demo.Greeter/Chat', metadata, ...messages);
    } finally {
      client.close();
    }
  }

  function plain(port: number): Promise<WireReply | null> {
    const headers: [string, string][] = [['x-api-key', KEY]];
    return sendRaw(port, requestBytes({ method: 'GET', path: '/demo.Greeter', host: 'any', headers }));
  }
});
