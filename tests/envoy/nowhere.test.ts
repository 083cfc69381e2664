import assert from 'node:assert/strict';
import { it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';

const found = await available();

it('answers 404 with a reason when no route of the policy leads anywhere', { skip: found.skip }, async () => {
  const test = await EnvoyUnderTest.start('policy: bare\napis: { pets: { paths: [/], anonymous: allow } }\n', found, {
    concurrency: 1,
  });
  try {
    const reply = await sendRaw(test.port, requestBytes({ method: 'GET', path: '/v1/pets', host: 'any', headers: [] }));
    assert.deepEqual([reply?.status, reply?.body], [404, 'no route of the policy leads here\n']);
  } finally {
    await test.stop();
  }
});
