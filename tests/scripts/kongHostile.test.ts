import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { describeKong } from '../../scripts/kong/describeKong.ts';
import { KongError } from '../../scripts/kong/error.ts';
import { readPolicy, validPolicy } from '../../scripts/policy/index.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';
import { tollgate } from './fakeIo.ts';

const folder = scratchFolder();
const KEY = 'Zk8sQ2v7Lp0xTn4Rb6Wd1Yh3';

/** Refused inputs, and what is said of them after the file's name. */
const REFUSED: Record<string, [content: string | Buffer, rule: RegExp]> = {
  nothing: ['', /^: must be a declarative configuration of Kong; the file is empty/],
  'a list': ['[1, 2]', /^: must be a declarative configuration of Kong; found a list/],
  'no YAML': ['services: [', /^:\d+: must be valid JSON or YAML/],
  'another file': ['a: 1', /^: must be a declarative configuration of Kong, with a field "_format_version"/],
  'an OpenAPI document': ['openapi: 3.1.0', /"tollgate import openapi" reads OpenAPI documents/],
  'a Kubernetes resource': ['apiVersion: v1\nkind: Service', /"deck gateway dump" makes one/],
  'a version of the future': [
    '_format_version: "4.0"',
    /^: must have "_format_version" 1\.1, 2\.1 or 3\.0; found "4\.0"/,
  ],
  'UTF-16': [Buffer.from('_format_version: "3.0"', 'utf16le'), /^: must be UTF-8; this is UTF-16/],
  'other bytes': [Buffer.from([0x61, 0x3a, 0x20, 0xff, 0x0a]), /^:1: must be valid UTF-8/],
  'no content': ['_format_version: "3.0"', /^: has nothing that could be imported/],
  'a bomb of anchors': [
    `_format_version: "3.0"\na: &a [x,x,x,x,x,x,x,x]\n${'bcdefghij'
      .split('')
      .map((name, index) => `${name}: &${name} [${Array(8).fill(`*${'abcdefghij'[index]}`).join(',')}]`)
      .join('\n')}\n`,
    /^: must have at most \d+ values/,
  ],
  'a circle': ['_format_version: "3.0"\nservices: &s\n  - routes: *s\n', /: /],
  'great depth': [`_format_version: "3.0"\nx: ${'['.repeat(400)}${']'.repeat(400)}`, /: must /],
};

for (const [what, [content, rule]] of Object.entries(REFUSED)) {
  test(`refuses ${what} with exit code 1 and one line, and leaves the policy as it was`, async () => {
    const file = scratchFile(folder, content, 'kong.yaml');
    const policy = scratchFile(folder, 'policy: shop\n');
    const { code, err } = await tollgate(['import', 'kong', file, '--into', policy]);
    assert.equal(code, 1, err);
    assert.ok(err.startsWith(file), err);
    assert.match(err.slice(file.length), rule);
    assert.doesNotMatch(err, /internal error|\n\s+at /);
    assert.equal(readFileSync(policy, 'utf8'), 'policy: shop\n');
  });
}

test('wrong usage is told', async () => {
  for (const args of [
    [],
    ['a', 'b'],
    ['a', '--into', '-'],
    ['a', '--dry-run'],
    ['a', '--name', 'A'],
    ['a', '--name', 'a', '--into', 'p'],
  ])
    assert.equal((await tollgate(['import', 'kong', ...args])).code, 2, args.join(' '));
});

test('a key is printed nowhere, wherever somebody has put it', async () => {
  const document = `_format_version: "3.0"
services: [{ name: s, host: s.internal, routes: [{ name: r, paths: [/a], headers: { x-v: ["${KEY}"] } }], plugins: [{ name: key-auth }] }]
consumers:
  - { username: acme, custom_id: "${KEY}", tags: ["${KEY}"], keyauth_credentials: [{ key: "${KEY}", id: "${KEY}" }] }
  - { username: "${KEY}" }
  - { username: ben, keyauth_credentials: [{ key: "${KEY}" }, { key: "${KEY} x" }, "${KEY}", { key: ["${KEY}"] }] }
  - { username: carl, keyauth_credentials: "${KEY}" }
  - "${KEY}"
basicauth_credentials: ["${KEY}"]
plugins: [{ name: "${KEY}" }, { name: rate-limiting, config: { minute: 3, policy: redis, redis: { password: "${KEY}" } } }]
`;
  const file = scratchFile(folder, document);
  for (const options of [[], ['--json']]) {
    const { code, out, err } = await tollgate(['import', 'kong', file, ...options]);
    assert.equal(code, 0, err);
    // a header's value is part of the policy, and nobody can tell what it is
    assert.deepEqual(out.split(KEY).length - 1, 1);
    assert.ok(!err.includes(KEY), err);
  }
});

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(
      null,
      true,
      0,
      -1,
      1.5,
      '',
      '/',
      '/v1',
      '~/x',
      'a.test',
      '*',
      'GET',
      'acme',
      'orders',
      '__proto__',
      '${{ env "X" }}',
    ),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        ...[
          'services',
          'routes',
          'consumers',
          'plugins',
          'name',
          'username',
          'paths',
          'hosts',
          'methods',
          'headers',
          'config',
          'service',
        ],
        ...[
          'keyauth_credentials',
          'key',
          'acls',
          'group',
          'groups',
          'url',
          'host',
          'port',
          'minute',
          'limit',
          'window_size',
          'allow',
          'route',
        ],
        ...[
          'consumer',
          'consumer_groups',
          'constructor',
          'toString',
          'enabled',
          'anonymous',
          'key_names',
          'origins',
          'ttl',
          'upstreams',
          'targets',
        ],
      ),
      tie('any'),
      { maxKeys: 6 },
    ),
  ),
})).any;

test('whatever stands in a document, it is a policy or a refusal in words', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom(
          'services',
          'routes',
          'consumers',
          'plugins',
          'consumer_groups',
          'upstreams',
          'acls',
          'keyauth_credentials',
          '_info',
        ),
        value,
      ),
      (parts) => {
        const document = { ...parts, _format_version: '3.0' };
        try {
          describeKong(document, 'kong.yaml', () => undefined);
        } catch (error) {
          if (!(error instanceof KongError)) throw error;
        }
      },
    ),
    { numRuns: 1500, seed: 7 },
  );
});

const PLUGIN_NAMES = [
  'key-auth',
  'acl',
  'rate-limiting',
  'rate-limiting-advanced',
  'cors',
  'request-termination',
  'jwt',
];

test('whatever stands in plugins, the policy is valid', async () => {
  const document = fc.record({
    _format_version: fc.constant('3.0'),
    services: fc.array(
      fc.record({
        name: fc.constantFrom('orders', 'Ö', 'default', 'x'.repeat(80)),
        host: fc.constantFrom('a.internal', '${{ env "H" }}', '::1', 'bad host'),
        routes: fc.array(
          fc.record({
            name: fc.constantFrom('a', 'b', 'default', 'no-route'),
            paths: fc.array(fc.constantFrom('/', '/v1', '/v1/x', '~/v1/(?<a>\\d+)$', '~/v1/x$', '/%zz'), {
              maxLength: 3,
            }),
            methods: fc.option(fc.array(fc.constantFrom('GET', 'HEAD', 'POST'), { maxLength: 3 })),
            headers: fc.constantFrom({}, { 'x-v': ['1'] }, { apikey: ['k'] }, { host: ['a'] }),
          }),
          { maxLength: 4 },
        ),
        plugins: fc.array(fc.record({ name: fc.constantFrom(...PLUGIN_NAMES), config: value }), { maxLength: 4 }),
      }),
      { maxLength: 3 },
    ),
    consumers: fc.constant([{ username: 'acme', acls: [{ group: 'a' }] }]),
  });
  await fc.assert(
    fc.asyncProperty(document, async (one) => {
      const { code, out, err } = await tollgate(['import', 'kong', '-'], { stdin: JSON.stringify(one) });
      assert.equal(code, 0, err);
      assert.notEqual(readPolicy(out, 'policy').policy, null);
    }),
    { numRuns: 250, seed: 11 },
  );
});

/** A document with many consumers. */
function large(count: number, prefix: string): string {
  const consumers = Array.from({ length: count }, (_, index) => ({
    username: `${prefix}-${index}`,
    keyauth_credentials: [{ key: `${prefix}-key-${index}` }],
  }));
  const services = [
    {
      name: prefix,
      host: 's.internal',
      routes: [{ name: prefix, paths: [`/${prefix}`] }],
      plugins: [{ name: 'key-auth' }],
    },
  ];
  const file = join(scratchFolder(), `${prefix}.json`);
  writeFileSync(file, JSON.stringify({ _format_version: '3.0', services, consumers }));
  return file;
}

test('two imports into one policy at once lose nothing', async () => {
  const policy = scratchFile(folder, 'policy: shop\nupstreams: {}\n');
  const runs = await Promise.all(
    ['one', 'two'].map((name) => tollgate(['import', 'kong', large(300, name), '--into', policy])),
  );
  for (const { code, err } of runs) assert.equal(code, 0, err);
  const { consumers, apis } = validPolicy(readFileSync(policy, 'utf8'), policy).policy;
  assert.deepEqual([Object.keys(consumers).length, Object.keys(apis).sort()], [600, ['one', 'two']]);
});

test('an import that is killed at any time leaves the policy as it was or as it will be', async () => {
  const document = large(2000, 'many');
  for (const step of [1, 2, 3, 4, 5, 6]) {
    const own = scratchFolder();
    const policy = scratchFile(own, 'policy: shop # mine\nupstreams: {}\n', 'shop.policy.yaml');
    const child = spawn(
      process.execPath,
      [inPackage('scripts/bin.mjs'), 'import', 'kong', document, '--into', policy],
      { stdio: 'ignore' },
    );
    const ended = new Promise((resolve) => child.once('exit', resolve));
    // the moment does not matter for what must hold
    const timer = setTimeout(() => child.kill('SIGKILL'), 150 * step);
    await ended;
    clearTimeout(timer);
    const text = readFileSync(policy, 'utf8');
    const { consumers } = validPolicy(text, policy).policy;
    assert.ok([0, 2000].includes(Object.keys(consumers).length));
    assert.match(text, /^policy: shop # mine\n/);
    const again = await tollgate(['import', 'kong', document, '--into', policy]);
    assert.equal(again.code, 0, again.err);
    assert.equal(Object.keys(validPolicy(readFileSync(policy, 'utf8'), policy).policy.consumers).length, 2000);
    assert.deepEqual(
      readdirSync(own).filter((name) => name.endsWith('.yaml')),
      ['shop.policy.yaml'],
    );
  }
});
