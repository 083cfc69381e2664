import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { FlightUpstream, fly, roomOf } from '../../../harness/envoy/flightLoad.ts';
import { digestOf } from '../../../harness/envoy/testPolicy.ts';
import { trappingModule } from '../../../harness/envoy/trappingModule.ts';
import { requestBytes, sendRaw } from '../../../harness/envoy/wireClient.ts';
import { hold, pause, type Attack, type Context } from '../../form.ts';
import { serves } from '../../serving.ts';
import type { Target } from '../../target.ts';

const LIMIT = 12;
const HELD = 8;
const WORKERS = [2, 1, 4];
const HELD_KEY = 'held-dying-secret';
const FLYING_KEYS = ['one-dying-secret', 'two-dying-secret'];
const KEYS = [HELD_KEY, ...FLYING_KEYS];
const STORM_MS = 2000;
/** As long as the requests of a dead worker may be counted on, by docs/policy.md: silent for five seconds, and two more. */
const COUNTED_MS = 7000;
const SILENT_MS = 5000;
/** Each of the other workers notices at a heartbeat of its own, one a second. */
const STEADY_MS = 1500;
/** A machine that is busy with tests looks late. */
const LATE_MS = 1500;
/** What Envoy says of a VM that dies. */
const DEATH = /wasm|unreachable/i;

const POLICY = `policy: deaths
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis: { pets: { paths: [/v1], plans: [free], upstream: v1 } }
plans: { free: { concurrency: ${LIMIT} } }
consumers:
${KEYS.map((key, i) => `  c${i}: { plan: free, keys: [{ id: k${i}, digest: "${digestOf(key)}" }] }\n`).join('')}`;

/** Workers die with requests in flight: no more than the limit are ever there, and those of the dead are forgotten in time. */
export const deaths: Attack = {
  name: 'deaths',
  tries:
    'VMs of workers that die while requests are in flight: never more of them than the limit, and in seven seconds nothing is left of the dead',
  prepare: trappingModule,
  async run(context) {
    for (let round = 0; round === 0 || context.isTimeLeft(); round++)
      await attackOne(context, WORKERS[round % WORKERS.length]!);
  },
};

async function attackOne(context: Context, workers: number): Promise<void> {
  const upstream = await FlightUpstream.start(context.random);
  context.cleanUp(() => upstream.close());
  const module = await trappingModule();
  const target = await context.open({ policy: POLICY, workers, upstream: upstream.url, module });
  const until = Date.now() + STORM_MS;
  const goesOn = (): boolean => {
    target.isAlive();
    return Date.now() < until;
  };
  const load = { port: target.port, upstream, random: context.random, keys: FLYING_KEYS, streams: 8, connections: 3 };
  const [tally] = await Promise.all([fly({ ...load, goesOn }), killing(context, target, goesOn)]);
  context.count('requests', tally.answered + tally.refused + tally.reset + tally.others);
  hold(tally.answered > 0, 'nothing was answered between the deaths');
  await holding(context, target, upstream);
  for (const key of KEYS) {
    const most = upstream.mostOf(key);
    hold(key === HELD_KEY || most <= LIMIT, `${most} in flight of ${LIMIT}, with ${workers} workers`);
    const room = await roomOf(target.port, upstream, key, LIMIT + 4);
    hold(room === LIMIT, `room for ${room} of ${LIMIT} after the deaths, with ${workers} workers`);
  }
  target.isWell(DEATH);
  await target.stop();
}

async function killing(context: Context, target: Target, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    await pause(200 + context.random.below(600));
    if (await kill(target)) context.count('deaths');
  }
}

/** True when a request has met a VM that lived until then, or one that was dead already. */
async function kill(target: Target): Promise<boolean> {
  const headers = [['x-trap', '1'] as const, ['x-api-key', FLYING_KEYS[0]!] as const];
  const reply = await sendRaw(target.port, requestBytes({ method: 'GET', path: '/v1/x', host: 'a.test', headers }));
  target.isAlive();
  return reply?.status === 503;
}

/**
 * Requests stay at the upstream, a worker dies with some of them, and others come. Envoy lets those of the dead run until the upstream
 * answers, which it then tells their clients as 503; they count on for the documented time, and then no more.
 */
async function holding(context: Context, target: Target, upstream: FlightUpstream): Promise<void> {
  // a VM that died young is replaced after a second
  await serves(target, FLYING_KEYS[0]!);
  upstream.holds = true;
  const held: Held[] = [];
  context.cleanUp(async () => held.forEach(({ session }) => session.destroy()));
  const fill = async (count: number): Promise<void> => {
    held.push(...(await Promise.all(Array.from({ length: count }, () => holdOne(target.port, upstream)))));
  };
  const inFlight = (): number => upstream.nowOf(HELD_KEY);
  await fill(HELD);
  hold(inFlight() === HELD, `${inFlight()} in flight, and ${HELD} should be`);
  const first = [...held];
  hold(await kill(target), 'no worker died');
  const died = Date.now();
  context.count('deaths');
  let grown = died;
  while (Date.now() - died < COUNTED_MS + LATE_MS && (inFlight() <= LIMIT || Date.now() - grown < STEADY_MS)) {
    const before = inFlight();
    await fill(1);
    target.isAlive();
    const isCounted = Date.now() - died < SILENT_MS;
    hold(
      !isCounted || inFlight() <= LIMIT,
      `${inFlight()} in flight of ${LIMIT} ${Date.now() - died} ms after a death`,
    );
    if (inFlight() > before) grown = Date.now();
    else await pause(20);
  }
  const all = inFlight();
  upstream.release();
  const statuses = await Promise.all(first.map(({ status }) => status));
  const dead = statuses.filter((status) => status === 503).length;
  hold(dead > 0, `no request was of the worker that died; they were answered ${statuses.join()}`);
  hold(
    all === LIMIT + dead,
    `${all} in flight of ${LIMIT}, ${grown - died} ms after the death of a worker that had ${dead} of them`,
  );
  context.count('of the dead', dead);
}

interface Held {
  readonly session: ClientHttp2Session;
  /** What it was answered in the end; 0 for nothing. */
  readonly status: Promise<number>;
}

/** A request on a connection of its own; resolves when it has come to the upstream, or was answered. */
async function holdOne(port: number, upstream: FlightUpstream): Promise<Held> {
  const mark = upstream.mark(HELD_KEY);
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const headers = { ':path': '/v1/pets', ':authority': 'a.test', 'x-api-key': HELD_KEY, 'x-flight': mark };
  let isOver = false;
  const status = new Promise<number>((resolve) => {
    const stream = session.request(headers);
    let answered = 0;
    const end = (): void => {
      isOver = true;
      upstream.leave(mark);
      session.destroy();
      resolve(answered);
    };
    session.on('error', end);
    stream.on('error', () => undefined).on('response', (answer) => (answered = Number(answer[':status'])));
    stream.on('close', end).resume();
  });
  while (!isOver && !upstream.has(mark)) await pause(2);
  return { session, status };
}
