import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { SettableClock } from '../../harness/envoy/settableClock.ts';
import { Random } from '../../harness/random.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { LOG_FIELDS } from '../../scripts/contract/table.ts';
import { countedHere, Engine } from '../../scripts/explain/engine.ts';
import { pairsOf, type ExplainedRequest } from '../../scripts/explain/request.ts';
import { tellStory } from '../../scripts/explain/story.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { logFieldsOf, type Exchange } from '../../scripts/host/openRequest.ts';
import { compilePolicy, validPolicy } from '../../scripts/policy/index.ts';
import type { Outcome } from '../cases/runner.ts';
import { EnvoyRunner } from './caseRunner.ts';
import { POLICY, randomRequest, REASONS, START } from './traffic.ts';

const SEED =
  process.env['SEED'] === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(process.env['SEED'] ?? 5151);
const REQUESTS = Number(process.env['REQUESTS'] ?? 3000);
/** A story asks the module many times; every so many requests tell one. */
const STORY_EVERY = 50;
const MOST_SHOWN = 5;

type Headers = readonly (readonly [name: string, value: string])[];

/** Headers that Envoy and the upstream add themselves. */
const OF_ENVOY =
  /^(?::.*|date|server|connection|keep-alive|transfer-encoding|te|host|x-envoy-.*|x-upstream|x-request-id|x-forwarded-proto|x-forwarded-for)$/;
/** The upstream's own on an answer that it gives. */
const OF_UPSTREAM = /^content-(?:type|length)$/;
const OF_REQUEST = /^content-length$/;

/** HTTP/1 says so of an answer that has no body; a filter does not see it. */
function isOfCodec(name: string, value: string): boolean {
  return name === 'content-length' && value === '0';
}

/** All headers but those, by name, each with its values in order. */
function headersOf(headers: Headers, others: RegExp | null): Record<string, string[]> {
  const values: Record<string, string[]> = {};
  for (const [name, value] of headers)
    if (!OF_ENVOY.test(name) && others?.test(name) !== true && !isOfCodec(name, value))
      (values[name] ??= []).push(value);
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function told(own: Exchange): unknown {
  const passed = own.upstream !== null;
  return {
    reason: /^reason=(\S+)/.exec(own.filterState.get('wasm.tollgate') ?? '')?.[1],
    status: passed ? null : Number(own.response.first(':status')),
    headers: headersOf(own.response.pairs, passed ? OF_UPSTREAM : null),
    body: passed ? null : Buffer.from(own.body).toString('latin1'),
    upstream: passed && {
      method: own.upstream.first(':method'),
      path: own.upstream.first(':path'),
      host: own.upstream.first(':authority'),
      headers: headersOf(own.upstream.pairs, OF_REQUEST),
    },
    log: own.filterState.get('wasm.tollgate'),
    fields: logFieldsOf(own),
  };
}

function seen({ reason, status, headers, body, upstream, log, fields }: Outcome): unknown {
  const passed = upstream !== null;
  return {
    reason,
    status: passed ? null : status,
    headers: headersOf(headers, passed ? OF_UPSTREAM : null),
    body: passed ? null : body,
    upstream: passed && {
      method: upstream.method,
      path: upstream.path,
      host: upstream.headers.find(([name]) => name === 'host')?.[1],
      headers: headersOf(upstream.headers, OF_REQUEST),
    },
    log,
    fields,
  };
}

const found = await available();
const clock = found.skip === false ? await SettableClock.make() : null;
const runner = new EnvoyRunner(found, clock);
const skip =
  found.skip === false ? clock === null && 'needs a clock that can be set: Linux and a C compiler' : found.skip;

describe('explain and a real Envoy', { skip }, () => {
  after(() => runner.close());

  it(`agree on ${REQUESTS} random requests: reason, reply, quotas, what the upstream gets; seed ${SEED}`, async () => {
    const random = new Random(SEED);
    const session = await runner.open(POLICY, START);
    const { policy } = validPolicy(POLICY, 'agreement');
    const config = countedHere(compilePolicy(policy), LOG_FIELDS);
    const module = loadModule(modulePath);
    const engine = new Engine(module, config, START);
    const reasons = new Map<string, number>();
    const differences: string[] = [];
    let atMs = 0;
    for (let i = 0; i < REQUESTS && differences.length < MOST_SHOWN; i++) {
      atMs += random.pick([0, 0, 0, 0, 1, 7, 60, 150]);
      const request = randomRequest(random);
      const sent: ExplainedRequest = { ...request, path: request.path!, scheme: 'http' };
      const real = await session.send(request, atMs);
      const where = `request ${i} at ${atMs} ms: ${JSON.stringify(request)}`;
      try {
        if (i % STORY_EVERY === 0) compareStory(tellStory(policy, module, sent, START + atMs, engine), real);
        else assert.deepEqual(told(engine.decide(pairsOf(sent), START + atMs)), seen(real));
      } catch (error) {
        differences.push(`${where}\n${(error as Error).message}`);
      }
      reasons.set(real.reason, (reasons.get(real.reason) ?? 0) + 1);
    }
    await session.close();
    assert.equal(differences.join('\n\n'), '');
    assert.deepEqual(
      REASONS.filter((reason) => !reasons.has(reason)),
      [],
      JSON.stringify([...reasons]),
    );
  });
});

/** What the story tells is what was seen. */
function compareStory(story: ReturnType<typeof tellStory>, real: Outcome): void {
  const { reply, headers, upstream } = story;
  const passed = real.upstream !== null;
  const arrived = real.upstream?.headers ?? [];
  assert.deepEqual(
    {
      reason: story.reason,
      outcome: story.outcome === 'allowed',
      route: story.route?.name,
      operation: story.operation?.name ?? undefined,
      status: reply.status,
      body: Buffer.from(reply.body).toString('latin1'),
      path: upstream?.path,
      set: headers.set.filter(({ name, value }) => value !== null && !name.startsWith(':')),
      removed: [],
    },
    {
      reason: real.reason,
      outcome: passed,
      route: real.fields['route'],
      operation: real.fields['operation'],
      status: passed ? null : real.status,
      body: passed ? '' : real.body,
      path: real.upstream?.path.replace(/\?.*/, ''),
      set: headers.set
        .filter(({ name, value }) => value !== null && !name.startsWith(':'))
        .map(({ name }) => ({ name, value: arrived.find(([one]) => one === name)?.[1] })),
      removed: headers.removed.filter((removed) => arrived.some(([name]) => name === removed)),
    },
  );
  const told = headersOf(reply.headers, passed ? OF_UPSTREAM : null);
  assert.deepEqual(told, headersOf(real.headers, passed ? OF_UPSTREAM : null));
}
