import { hammer } from '../../harness/envoy/load.ts';
import { askHttp2, hangUp, openHttp2 } from '../client.ts';
import { hold, pause, type Attack, type Context } from '../form.ts';
import { attackedPolicy, keyOf, NEAR_KEY, type AttackedQuota } from '../policy.ts';
import { serves } from '../serving.ts';
import type { Target } from '../target.ts';

const LIMIT = 1500;
const LOCAL: AttackedQuota = { limit: LIMIT, window: 'day' };
const WORKERS = [2, 1, 8];
const CONSUMERS = 40;
const STEP_MS = 3000;
const SETTLE_MS = 8000;

/** Without a service: the quota is this Envoy's, and exact to the unit whatever becomes of the requests that spent it. */
export const units: Attack = {
  name: 'units',
  tries:
    'resets, storms, edits and drains on a quota of one Envoy, which must allow its limit, no unit more and none less',
  async run(context) {
    for (let round = 0; context.isTimeLeft(); round++) await attackOne(context, WORKERS[round % WORKERS.length]!);
  },
};

async function attackOne(context: Context, workers: number): Promise<void> {
  const allowed = new Map<string, number>();
  const policy = (routes: string[] = []): string =>
    attackedPolicy({ quota: LOCAL, consumers: CONSUMERS, bystanders: true, routes });
  const target = await context.open({
    policy: policy(),
    workers,
    onAccess: ({ tollgate }) => {
      const name = /^reason=allowed .*\bconsumer=(\S+)/.exec(tollgate ?? '')?.[1];
      if (name !== undefined) allowed.set(name, (allowed.get(name) ?? 0) + 1);
    },
  });
  for (let consumer = 0; consumer < 6 && (consumer === 0 || context.isTimeLeft()); consumer++) {
    const until = Date.now() + Math.min(STEP_MS, context.leftMs());
    const goesOn = (): boolean => Date.now() < until;
    await Promise.all([
      resetStreams(context, target, consumer, goesOn),
      hangUps(context, target, consumer, goesOn),
      editing(context, target, policy, goesOn),
    ]);
    const seen = await spendRest(target, consumer, () => allowed.get(`c${consumer}`) ?? 0);
    hold(seen === LIMIT, `${seen} requests of one consumer let through, of ${LIMIT}`);
    target.isWell();
  }
  await serves(target, NEAR_KEY);
  await target.stop();
}

async function resetStreams(context: Context, target: Target, consumer: number, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    const session = await openHttp2(target.port);
    target.isAlive();
    if (session === null) continue;
    const size = context.random.pick([20, 60, 300]);
    const ends = await Promise.all(
      Array.from({ length: size }, () =>
        askHttp2(session, {
          headers: { 'x-api-key': keyOf(consumer) },
          ...(context.random.chance(0.6)
            ? { reset: context.random.chance(0.3) ? 'answered' : { afterMs: context.random.below(5) } }
            : {}),
        }),
      ),
    );
    session.destroy();
    context.count('requests', size);
    context.count('resets', ends.filter((end) => end === 'reset').length);
    hold(!ends.includes('hung'), 'a request was neither answered nor reset');
  }
}

async function hangUps(context: Context, target: Target, consumer: number, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    await Promise.all(
      Array.from({ length: 4 }, () => hangUp(target.port, { 'x-api-key': keyOf(consumer) }, context.random.below(8))),
    );
    context.count('hang-ups', 4);
  }
}

async function editing(
  { random, count }: Context,
  target: Target,
  policy: (routes: string[]) => string,
  goesOn: () => boolean,
): Promise<void> {
  for (let step = 0; goesOn(); step++) {
    await pause(random.below(300));
    if (random.chance(0.7)) {
      await target.edit(policy([`r${step}-${random.below(1000)}`]));
      count('edits');
    } else {
      await target.drain(random.below(100));
      count('drains');
    }
  }
}

/** Leases that a worker holds idle come back on its tick. The access log says what was let through, heard or not. */
async function spendRest(target: Target, consumer: number, seen: () => number): Promise<number> {
  const deadline = Date.now() + SETTLE_MS;
  const load = { port: target.port, headers: { 'x-api-key': keyOf(consumer) }, connections: target.workers * 2 };
  while (seen() < LIMIT && Date.now() < deadline) {
    let left = 40;
    await hammer(load, () => left-- > 0);
    target.isAlive();
    await pause(100);
  }
  let more = 20;
  await hammer(load, () => more-- > 0);
  await pause(100);
  return seen();
}
