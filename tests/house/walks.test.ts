import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkWalk, requestWalk } from '../../harness/walks.ts';

/**
 * The number of files that a reader goes through to follow a policy, or a request. These numbers may only fall, but for a
 * new subject. A file of more than about 300 lines is two subjects: headers, quotas, plain copies and zod's issues in our
 * words have files of their own for that, as have modes, what APIs offer, what quotas count together, where their windows begin, which operations and which quotas are never met;
 * nobody who looks for one of them reads more than before. So have the changes to the headers and the path of a request that
 * passes, which were a third of the decision; the records of a decoded policy, one file a subject; and the table of balances, beside what is charged to them. Addresses from which
 * consumers call are a new subject: what they are, and how they fit together; so is who calls without a key or by a token, where keys are and what they are for,
 * and what upstreams, callers and logs get to see of a decision. Counters by address, which lie elsewhere than a consumer's, made what a policy counts, and where, a subject
 * of its own.
 */
const MOST_OF_A_CHECK = 61;
const MOST_OF_A_REQUEST = 41;

test('one check of a policy loads no more files than it has to', async (t) => {
  const files = await checkWalk();
  t.diagnostic(`${files.length} files`);
  assert.ok(files.includes('scripts/cli/check.ts') && files.includes('scripts/host/vm.ts'), files.join('\n'));
  assert.ok(files.length <= MOST_OF_A_CHECK, files.join('\n'));
  // a check needs no Envoy, no registry and no cluster
  assert.deepEqual(
    files.filter((file) => /^scripts\/(envoy|oci|istio|docker|diff|demo|key|policyFile|upstream)\//.test(file)),
    [],
  );
});

test('one request runs through no more files than it has to', async (t) => {
  const files = await requestWalk();
  t.diagnostic(`${files.length} files`);
  assert.ok(files.includes('filter/decision/decide.ts') && files.includes('assembly/request.ts'), files.join('\n'));
  assert.ok(files.length <= MOST_OF_A_REQUEST, files.join('\n'));
  // nothing of the mesh's quotas runs for a policy without them
  assert.deepEqual(
    files.filter((file) => /rateLimitService|quota\/(mesh|bucket)/.test(file)),
    [],
  );
});
