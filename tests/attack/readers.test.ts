import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOST_READERS, liesUnder, meantPath, PATH_READERS } from '../../attack/readers.ts';

function readersOf(target: string): string[] {
  return Object.entries(PATH_READERS)
    .filter(([, read]) => {
      const path = read(target);
      return path !== null && liesUnder(path, '/v1');
    })
    .map(([name]) => name);
}

for (const target of [
  '/v1',
  '/v1/pets?a',
  '//x/v1/pets',
  '/v1//../pets',
  '/v1//%2e%2e/pets',
  '/public/..%3b/v1/pets',
  '/public/%2e%2e%3b/v1/pets',
  '/v1%3b/pets',
  '/v1;a=b/pets',
  '/%76%31/pets',
  '/public/..\\v1',
  '/x%2f..%2fv1',
  '/./v1',
  'http://evil.test/v1',
  'v1/pets',
  '/v1#x',
]) {
  test(`somebody reads ${target} as a path under /v1`, () => assert.notDeepEqual(readersOf(target), []));
}

for (const target of ['/', '/v11', '/public/x', '/x/v1', '/V1', '/?/v1', '/x?/../v1', '/v1x/..', '/v1%20']) {
  test(`nobody reads ${target} as a path under /v1`, () => assert.deepEqual(readersOf(target), []));
}

for (const host of [
  'api.example.com',
  'API.example.com.',
  'evil,api.example.com',
  'api.example.com, evil',
  'u@api.example.com',
  'api.example.com..',
  'api.example.com:99999',
  'api.example.com:x',
  'api.example.com:80:80',
  'api%2eexample.com',
]) {
  test(`somebody reads ${host} as api.example.com`, () =>
    assert.ok(Object.values(HOST_READERS).some((read) => read(host) === 'api.example.com')));
}

test('nobody reads other hosts as api.example.com', () => {
  for (const host of ['', 'example.com', 'xapi.example.com', 'api.example.com.evil.test', '[::1]:80']) {
    assert.deepEqual(
      Object.entries(HOST_READERS).filter(([, read]) => read(host) === 'api.example.com'),
      [],
      host,
    );
  }
});

test('a path means what it says, but for dots and slashes; some mean two things', () => {
  for (const path of ['/v1/%2B', '/v1/%26%3D%40', '/v1/%c3%a9', '/v1/%C3%A9', '/v1/a%2eb', '/v1/pets/'])
    assert.equal(meantPath(path), path);
  assert.equal(meantPath('/v1/./a/../b'), '/v1/b');
  assert.equal(meantPath('/v1/%2e/a/%2E%2e/b'), '/v1/b');
  assert.equal(meantPath('/v1//a'), '/v1/a');
  assert.equal(meantPath('/v1/..'), '/');
  assert.equal(meantPath('/v1//../pets'), null);
});
