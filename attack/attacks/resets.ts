import type { FakeService } from '../../harness/rateLimitService/fakeService.ts';
import type { Random } from '../../harness/random.ts';
import { askHttp2, hangUp, openHttp2, type Asking } from '../client.ts';
import { hold, pause, type Attack, type Context } from '../form.ts';
import { attackedPolicy, keyOf, rulesOf, type AttackedQuota } from '../policy.ts';
import { serves } from '../serving.ts';
import type { Target } from '../target.ts';

const LIMIT = 50;
const MESH: AttackedQuota = { limit: LIMIT, window: 'second', scope: 'mesh' };
const HEADERS = { 'x-api-key': keyOf(0) };
const WORKERS = [2, 8, 1];
const CONNECTIONS = 2;
const IN_FLIGHT = 45;
const ROUND_MS = 15_000;
const SERVICE_MS = [0, 1, 3, 3, 3, 8, 30, 70];

/** The requests are so many that most of them wait for a lease, and half of them are gone before it comes. */
export const resets: Attack = {
  name: 'resets',
  tries: 'clients that reset their requests while these wait for a lease, during edits, drains and answers',
  weight: 3,
  async run(context) {
    for (let round = 0; context.isTimeLeft(); round++) await attackOne(context, WORKERS[round % WORKERS.length]!);
  },
};

async function attackOne(context: Context, workers: number): Promise<void> {
  const service = await context.service(rulesOf(MESH));
  const started = Date.now();
  let letThrough = 0;
  const target = await context.open({
    policy: attackedPolicy({ quota: MESH, consumers: 2 }),
    workers,
    servicePort: service.port,
    onAccess: ({ tollgate }) =>
      void (tollgate?.includes('consumer=c0') && tollgate.startsWith('reason=allowed') && letThrough++),
  });
  const end = Date.now() + Math.min(ROUND_MS, context.leftMs());
  const goesOn = (): boolean => Date.now() < end && context.isTimeLeft();
  const all = [
    ...Array.from({ length: CONNECTIONS }, () => resetStreams(context, target, goesOn)),
    hangUps(context, target, goesOn),
    disturb(context, target, service, goesOn),
  ];
  await Promise.all(all);
  service.fault = null;
  service.delayMs = 3;
  await serves(target, keyOf(1));
  target.isWell();
  const windows = Math.floor(Date.now() / 1000) - Math.floor(started / 1000) + 1;
  hold(letThrough <= windows * LIMIT, `${letThrough} requests let through in ${windows} windows of ${LIMIT}`);
  await target.stop();
  await service.stop();
}

/** As many streams as a connection has in flight, each begun when the one before has ended; now and then the whole connection goes. */
async function resetStreams(context: Context, target: Target, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    const session = await openHttp2(target.port);
    target.isAlive();
    if (session === null) continue;
    const lastsUntil = Date.now() + 500 + context.random.below(3000);
    const caller = async (): Promise<void> => {
      while (goesOn() && !session.closed && Date.now() < lastsUntil) {
        const end = await askHttp2(session, { headers: HEADERS, ...resetOf(context.random) });
        if (end !== 'lost') context.count('requests');
        if (end === 'reset') context.count('resets');
        hold(end !== 'hung', 'a request was neither answered nor reset');
        target.isAlive();
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
    session.destroy();
  }
}

function resetOf(random: Random): Pick<Asking, 'reset'> {
  if (random.chance(0.5)) return { reset: { afterMs: random.below(7) } };
  return random.chance(0.1) ? { reset: 'answered' } : {};
}

async function hangUps(context: Context, target: Target, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    await Promise.all(Array.from({ length: 6 }, () => hangUp(target.port, HEADERS, context.random.below(12))));
    context.count('hang-ups', 6);
    target.isAlive();
  }
}

/** What a team and its service do meanwhile: edits, drains, answers that are slow, wrong or none. */
async function disturb(
  { random, count }: Context,
  target: Target,
  service: FakeService,
  goesOn: () => boolean,
): Promise<void> {
  for (let step = 0; goesOn(); step++) {
    await pause(100 + random.below(300));
    service.delayMs = random.pick(SERVICE_MS);
    service.fault = random.chance(0.15) ? { kind: random.pick(['hang', 'reset', 'noMessage'] as const) } : null;
    if (random.chance(0.5)) {
      await target.edit(attackedPolicy({ quota: MESH, consumers: 2, routes: [`r${step}`] }));
      count('edits');
    } else if (random.chance(0.3)) {
      await target.drain(random.below(200));
      count('drains');
    }
  }
}
