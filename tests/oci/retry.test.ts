import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OciError, Transient } from '../../scripts/oci/error.ts';
import { Progress } from '../../scripts/cli/push.ts';
import { backoffMs, RETRY, retryAfterMs, retrying, type RetryPolicy } from '../../scripts/oci/failure.ts';

const quick: RetryPolicy = { attempts: 3, firstWaitMs: 1, longestWaitMs: 2, longestRetryAfterMs: 1000 };

function trial(
  failures: Error[],
  signal = new AbortController().signal,
): { notes: string[]; tried: () => number; result: Promise<string> } {
  const notes: string[] = [];
  let tried = 0;
  const attempt = async (): Promise<string> => {
    const failure = failures[tried++];
    if (failure !== undefined) throw failure;
    return 'done';
  };
  return {
    notes,
    tried: () => tried,
    result: retrying(attempt, { policy: quick, signal, note: (text) => notes.push(text) }),
  };
}

test('a temporary failure is retried, and each wait is announced', async () => {
  const { notes, tried, result } = trial([new Transient('busy'), new Transient('busy')]);
  assert.equal(await result, 'done');
  assert.equal(tried(), 3);
  assert.match(notes.join('\n'), /^busy; trying again in 0\.0 s\nbusy; trying again in 0\.0 s$/);
});

test('gives up after the last attempt, with the last failure', async () => {
  const { tried, result } = trial([1, 2, 3, 4].map((n) => new Transient(`failure ${n}`)));
  await assert.rejects(
    result,
    (error) => error instanceof OciError && error.message === 'failure 3; gave up after 3 attempts',
  );
  assert.equal(tried(), 3);
});

test('a permanent failure is not retried', async () => {
  const { tried, result } = trial([new OciError('no')]);
  await assert.rejects(result, /^OciError: no$/);
  assert.equal(tried(), 1);
});

test('a Retry-After that is too long is not waited for', async () => {
  await assert.rejects(trial([new Transient('busy', 3_600_000)]).result, /busy; it asks to come back in 3600 s/);
});

test('Ctrl-C ends a wait', async () => {
  const stop = new AbortController();
  const { result, tried } = trial([new Transient('busy', 900)], stop.signal);
  setTimeout(() => stop.abort(), 10);
  await assert.rejects(result, { name: 'AbortError' });
  assert.equal(tried(), 1);
});

test('waits double up to a bound, less a random part of up to half', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7].map((tried) => backoffMs(tried, RETRY, () => 0)),
    [500, 1000, 2000, 4000, 8000, 10_000, 10_000],
  );
  assert.equal(
    backoffMs(1, RETRY, () => 1),
    250,
  );
});

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-01-31T00:00:00Z');
  assert.equal(retryAfterMs('7', now), 7000);
  assert.equal(retryAfterMs('Sat, 31 Jan 2026 00:00:05 GMT', now), 5000);
  assert.equal(retryAfterMs('Fri, 30 Jan 2026 00:00:00 GMT', now), 0);
  for (const header of [null, '', 'soon', '-']) assert.equal(retryAfterMs(header, now), null);
});

test('a quick command is silent; a slow one reports progress after two seconds', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const lines: string[] = [];
  const progress = new Progress((line) => lines.push(line));
  progress.say('first');
  progress.say('second');
  context.mock.timers.tick(1999);
  assert.deepEqual(lines, []);
  context.mock.timers.tick(1);
  progress.say('third');
  assert.deepEqual(lines, ['second', 'third']);
  progress.stop();
});
