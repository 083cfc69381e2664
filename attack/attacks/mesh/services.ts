import type { FakeService, Fault as ServiceFault } from '../../../harness/rateLimitService/fakeService.ts';
import { WRONG_ANSWERS } from '../../../harness/rateLimitService/wrongAnswers.ts';
import type { Random } from '../../../harness/random.ts';
import { Bystander } from '../../bystander.ts';
import { askHttp2, openHttp2 } from '../../client.ts';
import { hold, pause, type Attack, type Context } from '../../form.ts';
import { mutateBytes } from '../../mutation.ts';
import { attackedPolicy, keyOf, NEAR_KEY, rulesOf, type AttackedQuota } from '../../policy.ts';
import { serves } from '../../serving.ts';
import type { Target } from '../../target.ts';

const LIMIT = 200;
const MESH: AttackedQuota = { limit: LIMIT, window: 'day', scope: 'mesh' };
const CONSUMERS = 60;
const STEP_MS = 1200;
const STEPS = 8;
/** A service that was away is asked again after ten seconds at the latest. */
const BACK_MS = 15_000;

/** What the service does in one step, and whether a unit may be spent because of it. */
interface Mischief {
  readonly what: string;
  readonly fault: ServiceFault | null;
  readonly delayMs?: number;
  readonly isDown?: boolean;
  /** No unit may be spent because of these answers. */
  readonly grantsNothing?: boolean;
}

/** A service that is slow, frozen, away, cut off in the middle, or that lies. */
export const services: Attack = {
  name: 'services',
  tries: 'rate limit services that are slow, frozen, cut off or lie: malformed, huge, negative and surplus answers',
  weight: 2,
  async run(context) {
    while (context.isTimeLeft()) await attackOne(context);
  },
};

async function attackOne(context: Context): Promise<void> {
  const service = await context.service(rulesOf(MESH));
  const allowed = new Map<string, number>();
  const target = await context.open({
    policy: attackedPolicy({ quota: MESH, consumers: CONSUMERS, bystanders: true }),
    workers: context.random.pick([1, 2]),
    servicePort: service.port,
    onAccess: ({ tollgate }) => {
      const name = /^reason=allowed .*\bconsumer=(\S+)/.exec(tollgate ?? '')?.[1];
      if (name !== undefined) allowed.set(name, (allowed.get(name) ?? 0) + 1);
    },
  });
  for (let step = 0; step < STEPS && (step === 0 || context.isTimeLeft()); step++) {
    const mischief = mischiefOf(context.random);
    const near = new Bystander(
      context,
      target,
      `while the service ${mischief.what}, a consumer with a quota of this Envoy`,
      NEAR_KEY,
    );
    // A consumer of its own for each step: nothing that was granted before can be spent.
    await callWhile(context, target, service, mischief, step);
    await near.end();
    await pause(60);
    const spent = allowed.get(`c${step}`) ?? 0;
    const most = mischief.grantsNothing ? 0 : LIMIT;
    hold(spent <= most, `${spent} units of ${most} were spent while the service ${mischief.what}`);
    target.isWell(/rate limit service/);
    context.count(`services that were wrong`);
  }
  service.fault = null;
  service.delayMs = 3;
  await serves(target, keyOf(CONSUMERS - 1), BACK_MS);
  await target.stop();
  await service.stop();
}

async function callWhile(
  context: Context,
  target: Target,
  service: FakeService,
  mischief: Mischief,
  consumer: number,
): Promise<void> {
  service.fault = mischief.fault;
  service.delayMs = mischief.delayMs ?? 2;
  if (mischief.isDown) await service.stop();
  const end = Date.now() + Math.min(STEP_MS, Math.max(200, context.leftMs()));
  while (Date.now() < end) {
    const session = await openHttp2(target.port);
    target.isAlive();
    if (session === null) continue;
    const size = 1 + context.random.below(40);
    const ends = await Promise.all(
      Array.from({ length: size }, () => askHttp2(session, { headers: { 'x-api-key': keyOf(consumer) } })),
    );
    session.destroy();
    context.count('requests', size);
    hold(
      ends.every((status) => status === 200 || status === 429 || status === 503),
      `while the service ${mischief.what}, a request is answered ${String(ends.find((status) => status !== 200 && status !== 429 && status !== 503))}`,
    );
    if (mischief.isDown === undefined && context.random.chance(0.1)) service.cut();
  }
  if (mischief.isDown) await service.listen();
}

function mischiefOf(random: Random): Mischief {
  const [name, wrong] = random.pick(Object.entries(WRONG_ANSWERS));
  return random.pick<() => Mischief>([
    () => ({ what: 'is slow', fault: null, delayMs: 20 + random.below(200) }),
    () => ({ what: 'hangs', fault: { kind: 'hang' }, grantsNothing: true }),
    () => ({ what: 'is away', fault: null, isDown: true, grantsNothing: true }),
    () => ({
      what: 'cuts its streams',
      fault: { kind: random.pick(['reset', 'noMessage'] as const) },
      grantsNothing: true,
    }),
    () => ({
      what: 'fails',
      fault: random.chance(0.5)
        ? { kind: 'status', status: random.below(17) + 1 }
        : { kind: 'httpStatus', status: random.pick([204, 301, 404, 429, 500, 503]) },
      grantsNothing: true,
    }),
    () => ({
      what: `answers with ${name}`,
      fault: { kind: 'mutate', mutate: (good) => (typeof wrong === 'function' ? wrong(good) : wrong) },
      grantsNothing: true,
    }),
    () => ({
      what: 'answers with bytes flipped, cut and added',
      fault: { kind: 'mutate', mutate: (good) => mutateBytes(random, good) },
    }),
    () => ({
      what: 'answers with frames that are none',
      fault: { kind: 'frame', bytes: Buffer.from(random.bytes(40), 'latin1') },
      grantsNothing: true,
    }),
  ])();
}
