import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cluster } from '../../scripts/cluster/cluster.ts';
import { ClusterError, Unseen } from '../../scripts/cluster/error.ts';
import { KINDS } from '../../scripts/cluster/object.ts';
import type { Finished } from '../../scripts/program/run.ts';
import { withKubectl } from './fakeKubectl.ts';
import { tollgate } from './fakeIo.ts';

// what a real kubectl says to a real API server is tried in tests/istio/verify.ts; here are the answers that none should give

type Said = string | Partial<Finished>;

/** A cluster that says something to every question, the number of which it is told. */
async function saying(say: (question: number, path: string) => Said): Promise<Cluster> {
  let questions = 0;
  const ask = ([, , path = '']: readonly string[]): Promise<Finished> => {
    const said = path === '/version' ? '{}' : say(questions++, path);
    const plain = { code: 0, stdout: '', stderr: '' };
    return Promise.resolve({ ...plain, ...(typeof said === 'string' ? { stdout: said } : said) });
  };
  return Cluster.connect(ask, () => Promise.reject(new Unseen('nothing is forwarded')));
}

const failing = (stderr: string, code: number | null = 1): Said => ({ code, stderr });
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const listOf = (...items: readonly unknown[]): string => JSON.stringify({ items });

describe('a cluster', () => {
  for (const [what, answer, message] of [
    ['text', '<html>log in</html>', /^pods: the API server's answer is not JSON$/],
    ['null', 'null', /^pods: the API server's answer is no list$/],
    ['a list of JSON', '[]', /^pods: the API server's answer is no list$/],
    ['an item that is null', listOf(null), /^pods: the API server's answer is no Pod$/],
    ['an item without metadata', listOf({}), /answer is no Pod$/],
    ['a name that is a number', listOf({ metadata: { name: 7 } }), /answer is no Pod$/],
    ['a name for a terminal', listOf({ metadata: { name: 'a\u001b[31m' } }), /answer is no Pod$/],
    ['a name that is a path', listOf({ metadata: { name: '../secrets/a' } }), /answer is no Pod$/],
    ['labels that are no strings', listOf({ metadata: { name: 'a', labels: { a: {} } } }), /answer is no Pod$/],
    ['annotations that are text', listOf({ metadata: { name: 'a', annotations: 'a' } }), /answer is no Pod$/],
    ['too deep a nest', `{"items":[{"metadata":{"name":"a"},"spec":${nested(9000)}}]}`, /is nested too deeply$/],
  ] as const)
    it(`that answers with ${what} has not been looked at`, async () => {
      const cluster = await saying(() => answer);
      await assert.rejects(cluster.list(KINDS.pod, null), { name: 'Unseen', message });
    });

  it('that answers with something else than the object has not been looked at', async () => {
    for (const answer of ['null', '[]', '"a"', '7', '{}'])
      await assert.rejects((await saying(() => answer)).get(KINDS.pod, 'a', 'b'), {
        name: 'Unseen',
        message: "pods: the API server's answer is no Pod",
      });
  });

  it('ends a list that has no end', async () => {
    let asked = 0;
    const cluster = await saying((question) => {
      asked++;
      return JSON.stringify({ items: [], metadata: { continue: `more-${question}` } });
    });
    await assert.rejects(cluster.list(KINDS.pod, null), {
      name: 'Unseen',
      message: "pods: the API server's list does not end",
    });
    assert.equal(asked, 60);
  });

  it('has no list where half of it is gone', async () => {
    const page = JSON.stringify({ items: [], metadata: { continue: 'more' } });
    const gone = 'Error from server (NotFound): the server could not find the requested resource';
    assert.deepEqual(await (await saying(() => failing(gone))).list(KINDS.pod, null), []);
    const half = await saying((question) => (question === 0 ? page : failing(gone)));
    await assert.rejects(half.list(KINDS.pod, null), Unseen);
  });

  it('is gone after some questions without an answer, and not after refusals or silent pods', async () => {
    const silent = failing('Unable to connect to the server: EOF');
    const ask = async (cluster: Cluster, times: number): Promise<unknown> => {
      let last: unknown = null;
      for (let i = 0; i < times; i++) last = await cluster.get(KINDS.pod, 'a', 'b').catch((error: unknown) => error);
      return last;
    };
    const error = await ask(await saying(() => silent), 5);
    assert.ok(error instanceof ClusterError);
    assert.equal(error.message, 'kubectl: 5 questions without an answer: Unable to connect to the server: EOF');
    const forbidden = failing('Error from server (Forbidden): pods is forbidden');
    assert.ok((await ask(await saying(() => forbidden), 9)) instanceof Unseen);
    assert.ok((await ask(await saying((question) => (question % 4 === 3 ? 'null' : silent)), 9)) instanceof Unseen);
    const pods = await saying(() => silent);
    for (let i = 0; i < 9; i++) await assert.rejects(pods.page('a', 'b', 1, '/'), Unseen);
  });

  it('that wants somebody to log in is not asked again', async () => {
    const cluster = await saying(() => failing('error: You must be logged in to the server (Unauthorized)'));
    await assert.rejects(cluster.get(KINDS.pod, 'a', 'b'), {
      name: 'ClusterError',
      message: 'kubectl: You must be logged in to the server (Unauthorized)',
    });
  });

  it('without a kubeconfig says so', async () => {
    const stderr = 'The connection to the server localhost:8080 was refused - did you specify the right host or port?';
    const ask = (): Promise<Finished> => Promise.resolve({ code: 1, stdout: '', stderr });
    await assert.rejects(
      Cluster.connect(ask, () => Promise.resolve('')),
      {
        name: 'ClusterError',
        message: `kubectl: ${stderr}; no kubeconfig was found: set KUBECONFIG, or a current context`,
      },
    );
  });

  it('whose kubectl hangs before it asks, as with a program that fetches credentials, is given up', async () => {
    const run = await withKubectl({ objects: [], hanging: ['/version'] }, () => tollgate(['status', '--timeout', '1']));
    assert.deepEqual([run.code, run.out], [2, '']);
    assert.match(run.err, /^asking the cluster\nkubectl: no answer within 1 s\n$/);
  });
});
