import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidReference } from '../../scripts/oci/error.ts';
import {
  credentialKey,
  endpoint,
  isLoopback,
  parseReference,
  pinned,
  type Reference,
} from '../../scripts/oci/reference.ts';

const HEX = 'a'.repeat(64);

const good: [string, Reference][] = [
  [
    'oci://registry.example.com/team/tollgate:1.0',
    { host: 'registry.example.com', repository: 'team/tollgate', tag: '1.0' },
  ],
  ['oci://registry.example.com/tollgate', { host: 'registry.example.com', repository: 'tollgate' }],
  ['oci://localhost:5000/a/b/c:latest', { host: 'localhost:5000', repository: 'a/b/c', tag: 'latest' }],
  ['oci://127.0.0.1:5000/t:_1', { host: '127.0.0.1:5000', repository: 't', tag: '_1' }],
  ['oci://[::1]:5000/t', { host: '[::1]:5000', repository: 't' }],
  [`oci://r.example/a@sha256:${HEX}`, { host: 'r.example', repository: 'a', digest: `sha256:${HEX}` }],
  [`oci://r.example/a:1@sha256:${HEX}`, { host: 'r.example', repository: 'a', tag: '1', digest: `sha256:${HEX}` }],
  ['oci://r.example/a_b/c__d/e-f/g--h/i.j', { host: 'r.example', repository: 'a_b/c__d/e-f/g--h/i.j' }],
];
for (const [text, expected] of good)
  test(`reads ${text.slice(0, 60)}`, () => assert.deepEqual(parseReference(text), expected));

const bad: [string, RegExp][] = [
  ['registry.example.com/team/tollgate', /must begin with oci:\/\//],
  ['docker://registry.example.com/x', /must begin with oci:\/\//],
  ['oci://registry.example.com', /must name a host and a repository/],
  ['oci:///tollgate', /"" is not a host/],
  ['oci://-x/tollgate', /"-x" is not a host/],
  ['oci://host:port/tollgate', /"host:port" is not a host/],
  ['oci://r.example/', /"" is not a repository/],
  ['oci://r.example/Team/x', /a repository must be lower case/],
  ['oci://r.example/a//b', /"a\/\/b" is not a repository/],
  ['oci://r.example/../b', /is not a repository/],
  ['oci://r.example/a___b', /is not a repository/],
  [`oci://r.example/${'a'.repeat(256)}`, /is not a repository/],
  ['oci://r.example/a:', /a tag must have 1 to 128/],
  ['oci://r.example/a:-1', /a tag must have 1 to 128/],
  [`oci://r.example/a:${'1'.repeat(129)}`, /a tag must have 1 to 128/],
  ['oci://r.example/a@sha256:abc', /a digest must be sha256: and 64 lower-case hex digits/],
  [`oci://r.example/a@sha512:${HEX}`, /a digest must be/],
  ['oci://r.example/a?x=1', /is not a repository/],
];
for (const [text, rule] of bad) {
  test(`refuses ${text.slice(0, 60)}`, () =>
    assert.throws(
      () => parseReference(text),
      (error) => error instanceof InvalidReference && rule.test(error.message),
    ));
}

test('a password before the host is refused and not repeated', () => {
  assert.throws(
    () => parseReference('oci://user:hunter2@r.example/a'),
    (error) => error instanceof InvalidReference && !error.message.includes('hunter2'),
  );
  assert.throws(
    () => parseReference('oci://user:hunter2@r.example'),
    (error) => error instanceof InvalidReference && !error.message.includes('hunter2'),
  );
});

test('a pinned reference has the digest and no tag', () => {
  assert.equal(
    pinned(parseReference('oci://r.example:1/a/b:1'), `sha256:${HEX}`),
    `oci://r.example:1/a/b@sha256:${HEX}`,
  );
});

test('loopback addresses stay on this machine; names that only look like it do not count', () => {
  for (const host of [
    'localhost',
    'localhost:5000',
    '127.0.0.1',
    '127.1.2.3:80',
    '[::1]',
    '[::1]:5000',
    'registry.localhost',
    'LOCALHOST:1',
  ])
    assert.ok(isLoopback(host), host);
  for (const host of [
    '127.0.0.1.example.com',
    'localhost.example.com',
    'example.com',
    '128.0.0.1',
    '10.0.0.1:5000',
    '[::2]',
  ])
    assert.ok(!isLoopback(host), host);
});

test('Docker Hub has other names for programs than for people', () => {
  assert.deepEqual(endpoint(parseReference('oci://docker.io/acme/tollgate')), {
    host: 'registry-1.docker.io',
    repository: 'acme/tollgate',
  });
  assert.deepEqual(endpoint(parseReference('oci://docker.io/tollgate')), {
    host: 'registry-1.docker.io',
    repository: 'library/tollgate',
  });
  assert.deepEqual(endpoint(parseReference('oci://r.example/tollgate')), { host: 'r.example', repository: 'tollgate' });
  assert.equal(credentialKey('docker.io'), 'https://index.docker.io/v1/');
  assert.equal(credentialKey('r.example:5000'), 'r.example:5000');
});
