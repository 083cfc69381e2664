import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2';
import type { FakeService } from '../../harness/rateLimitService/fakeService.ts';
import { Bystander } from '../bystander.ts';
import { askHttp2, openHttp2, type End } from '../client.ts';
import { hold, pause, type Attack, type Context } from '../form.ts';
import { attackedPolicy, keyOf, NEAR_KEY, rulesOf, WIDE_KEY, type AttackedQuota } from '../policy.ts';
import { serves } from '../serving.ts';
import { Footprint } from '../footprint.ts';
import type { Target } from '../target.ts';

const LIMIT = 10;
const MESH: AttackedQuota = { limit: LIMIT, window: 'minute', scope: 'mesh' };
/** Whom storms are made of, and who asks afterwards: a mesh-wide quota is given in single units near its limit. */
const CONSUMERS = 2000;
const FRESH = 300;
const WORKERS = [1, 2, 8];
const ROUND_MS = 20_000;
/** A service that was away is asked again after ten seconds at the latest. */
const BACK_MS = 15_000;
/** As long as the whole attack waits for a lease: a service that answers in 3 ms must never look like one that is away. */
const TIMEOUT = '1s';

/** What a storm meets. The service answers well, late but in time, or not at all. */
type Weather = 'well' | 'late' | 'never';

/** So many wait for one lease, or each for one of its own, that answering them all at once is more than a VM can do. */
export const storms: Attack = {
  name: 'storms',
  tries:
    'hundreds of requests at once that wait for the same lease, or each for its own, and a service that freezes meanwhile',
  weight: 3,
  async run(context) {
    for (let round = 0; context.isTimeLeft(); round++) await attackOne(context, WORKERS[round % WORKERS.length]!);
  },
};

/** Who storms what. */
interface Field {
  readonly context: Context;
  readonly target: Target;
  readonly service: FakeService;
  /** The key of a consumer that has asked for nothing lately. */
  readonly fresh: () => string;
}

async function attackOne(context: Context, workers: number): Promise<void> {
  const service = await context.service(rulesOf(MESH));
  service.delayMs = 3;
  const target = await context.open({
    policy: attackedPolicy({ quota: MESH, consumers: CONSUMERS + FRESH, bystanders: true, timeout: TIMEOUT }),
    workers,
    servicePort: service.port,
  });
  const footprint = new Footprint(target);
  const end = Date.now() + ROUND_MS;
  let next = 0;
  let asked = 0;
  const fresh = (): string => keyOf(CONSUMERS + (asked++ % FRESH));
  const field = { context, target, service, fresh };
  while (Date.now() < end && context.isTimeLeft() && next + 250 < CONSUMERS) {
    const near = new Bystander(context, target, 'a consumer with a quota of this Envoy', NEAR_KEY);
    if (context.random.chance(0.6)) await oneForAll(field, next++);
    else next += await eachItsOwn(field, next);
    await near.end();
    target.isWell();
    await serves(target, NEAR_KEY);
    // Who holds no unit yet: the service is asked again.
    await serves(target, fresh, BACK_MS);
    await footprint.isBounded();
  }
  await target.stop();
  await service.stop();
}

/** Hundreds of requests of one consumer on one connection. */
async function oneForAll(field: Field, consumer: number): Promise<void> {
  const { context, target } = field;
  const { random } = context;
  const weather: Weather = random.pick(['well', 'well', 'late', 'never'] as const);
  const size = 350 + random.below(550);
  const began = Date.now();
  const wide =
    weather === 'well' ? new Bystander(context, target, 'a consumer with units of the mesh left', WIDE_KEY) : null;
  const ends = await storm(
    field,
    weather,
    Array.from({ length: size }, () => keyOf(consumer)),
  );
  await wide?.end();
  const allowed = ends.filter((end) => end === 200).length;
  const windows = Math.floor(Date.now() / 60_000) - Math.floor(began / 60_000) + 1;
  hold(allowed <= LIMIT * windows, `${allowed} requests of one consumer let through in ${windows} windows of ${LIMIT}`);
  context.count('storms of one consumer');
  if (weather !== 'well') return;
  hold(
    ends.every((end) => end === 200 || end === 429 || end === 503),
    `a storm with a service that answers in time is answered ${figuresOf(ends)}`,
  );
  hold(allowed > 0, `nothing of ${LIMIT} units was given to a storm of ${size}: ${figuresOf(ends)}`);
  const rest = await spendRest(target, keyOf(consumer), LIMIT - allowed);
  hold(
    Math.floor(Date.now() / 60_000) !== Math.floor(began / 60_000) || allowed + rest === LIMIT,
    `${allowed} let through in a storm and ${rest} after it, of ${LIMIT}`,
  );
}

/** As many consumers as requests; all of them have units left. */
async function eachItsOwn(field: Field, first: number): Promise<number> {
  const { context } = field;
  const size = 50 + context.random.below(150);
  const weather: Weather = context.random.pick(['well', 'well', 'never'] as const);
  const ends = await storm(
    field,
    weather,
    Array.from({ length: size }, (_, i) => keyOf(first + i)),
  );
  if (weather === 'well')
    hold(
      ends.every((end) => end === 200),
      `${size} consumers with a unit each, and a service that answers in time, are answered ${figuresOf(ends)}`,
    );
  context.count('storms of many consumers');
  return size;
}

async function storm(
  { context, target, service, fresh }: Field,
  weather: Weather,
  keys: readonly string[],
): Promise<End[]> {
  const session = await mustOpen(target);
  if (weather === 'well') await isBack(session, fresh);
  service.delayMs = weather === 'late' ? 300 + context.random.below(500) : 3;
  service.fault = weather === 'never' ? { kind: context.random.pick(['hang', 'reset'] as const) } : null;
  let silent = 0;
  const onAnswer = (answer: IncomingHttpHeaders): void =>
    void (Number(answer[':status']) >= 400 && answer['retry-after'] === undefined && silent++);
  const ends = await Promise.all(keys.map((key) => askHttp2(session, { headers: { 'x-api-key': key }, onAnswer })));
  session.destroy();
  service.delayMs = 3;
  service.fault = null;
  context.count('requests', keys.length);
  target.isAlive();
  const unanswered = ends.filter((end) => typeof end !== 'number').length;
  hold(
    unanswered === 0,
    `${unanswered} of ${keys.length} requests of a storm were never answered; the service answered ${weather}`,
  );
  hold(
    weather !== 'well' || silent === 0,
    `${silent} of ${keys.length} refusals do not say when to come again: ${figuresOf(ends)}`,
  );
  return ends;
}

/** The worker of this connection may be the one that has not noticed yet that the service is back. */
async function isBack(session: ClientHttp2Session, fresh: () => string): Promise<void> {
  for (
    const deadline = Date.now() + BACK_MS;
    (await askHttp2(session, { headers: { 'x-api-key': fresh() } })) !== 200;
    await pause(50)
  ) {
    hold(Date.now() < deadline, `a worker has not noticed for ${BACK_MS / 1000} s that the service is back`);
  }
}

async function mustOpen(target: Target): Promise<ClientHttp2Session> {
  const session = await openHttp2(target.port);
  target.isAlive();
  hold(session !== null, 'Envoy takes no connection');
  return session;
}

/** Asks one after another until the rest is spent too; what a worker holds idle comes back within a second. */
async function spendRest(target: Target, key: string, rest: number): Promise<number> {
  const deadline = Date.now() + 3000;
  const session = await mustOpen(target);
  let spent = 0;
  while (Date.now() < deadline) {
    const end = await askHttp2(session, { headers: { 'x-api-key': key } });
    if (end === 200) spent++;
    else if (spent >= rest) break;
    else await pause(50);
  }
  session.destroy();
  return spent;
}

function figuresOf(ends: readonly End[]): string {
  const counts = new Map<End, number>();
  for (const end of ends) counts.set(end, (counts.get(end) ?? 0) + 1);
  return [...counts].map(([end, count]) => `${end}: ${count}`).join(', ');
}
