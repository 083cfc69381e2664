import type { FakeService, Fault as ServiceFault } from '../../../harness/rateLimitService/fakeService.ts';
import { WRONG_ANSWERS } from '../../../harness/rateLimitService/wrongAnswers.ts';
import type { Random } from '../../../harness/random.ts';
import { askHttp2, openHttp2 } from '../../client.ts';
import { hold, pause, type Attack, type Context } from '../../form.ts';
import { keyOf, planPolicy, rulesOf, type AttackedQuota } from '../../policy.ts';
import { serves } from '../../serving.ts';
import type { Target } from '../../target.ts';

const WINDOW = 'day';
const LIMITS = { free: 20, gold: 70 };
type PlanName = keyof typeof LIMITS;
const PLANS = Object.keys(LIMITS) as PlanName[];
const MESH: AttackedQuota = { limit: LIMITS.gold, window: WINDOW, scope: 'mesh' };
const CONSUMERS = 40;
const STEP_MS = 1500;
/** A service that was away is asked again after ten seconds at the latest. */
const BACK_MS = 15_000;

/** Requests let through of each consumer, by the plan that the module decided by. */
type Passed = Map<string, Record<PlanName, number>>;

/** A consumer goes from plan to plan and back in the middle of its calls, at two Envoys that do not learn of it at once. */
export const plans: Attack = {
  name: 'plans',
  tries:
    'changes of plan in mid-flight at two Envoys that count together, with a service that is late, cut off or lies',
  async run(context) {
    while (context.isTimeLeft()) await attackOne(context);
  },
};

async function attackOne(context: Context): Promise<void> {
  const service = await context.service(rulesOf(MESH));
  const passed: Passed = new Map();
  const onAccess = ({ tollgate }: { readonly tollgate: string | null }): void => {
    const [, consumer, plan] = /^reason=allowed .*\bconsumer=(\S+).*\bplan=(\S+)/.exec(tollgate ?? '') ?? [];
    if (consumer === undefined) return;
    const counts = passed.get(consumer) ?? { free: 0, gold: 0 };
    passed.set(consumer, counts);
    counts[plan as PlanName]++;
  };
  const targets: Target[] = [];
  for (let i = 0; i < 2; i++)
    targets.push(await context.open({ policy: policyOf('free'), workers: 1 + i, servicePort: service.port, onAccess }));
  for (let consumer = 0; consumer < CONSUMERS - 1 && (consumer === 0 || context.isTimeLeft()); consumer++) {
    service.fault = faultOf(context.random);
    service.delayMs = context.random.pick([0, 2, 20, 45]);
    await Promise.all([callWhile(context, targets, service, consumer), changePlans(context, targets)]);
    await pause(60);
    const { free, gold } = passed.get(`c${consumer}`) ?? { free: 0, gold: 0 };
    hold(free <= LIMITS.free, `${free} requests let through by a plan of ${LIMITS.free}`);
    hold(free + gold <= LIMITS.gold, `${free} and ${gold} requests let through, of ${LIMITS.gold} at most`);
    for (const target of targets) target.isWell(/rate limit service/);
    context.count('requests let through', free + gold);
  }
  service.fault = null;
  service.delayMs = 2;
  for (const target of targets) await serves(target, keyOf(CONSUMERS - 1), BACK_MS);
  for (const target of targets) await target.stop();
  await service.stop();
}

function policyOf(plan: PlanName): string {
  return planPolicy({ limits: LIMITS, window: WINDOW, plan, consumers: CONSUMERS });
}

async function callWhile(
  context: Context,
  targets: readonly Target[],
  service: FakeService,
  consumer: number,
): Promise<void> {
  const end = Date.now() + Math.min(STEP_MS, Math.max(200, context.leftMs()));
  while (Date.now() < end) {
    const target = context.random.pick(targets);
    const session = await openHttp2(target.port);
    target.isAlive();
    if (session === null) continue;
    const size = 1 + context.random.below(12);
    const ends = await Promise.all(
      Array.from({ length: size }, () => askHttp2(session, { headers: { 'x-api-key': keyOf(consumer) } })),
    );
    session.destroy();
    context.count('requests', size);
    const strange = ends.find((status) => status !== 200 && status !== 429 && status !== 503);
    hold(strange === undefined, `while the plan changes, a request is answered ${String(strange)}`);
    if (context.random.chance(0.05)) service.cut();
  }
}

/** Each Envoy on its own: the other may be a plan behind. */
async function changePlans(context: Context, targets: readonly Target[]): Promise<void> {
  const end = Date.now() + Math.min(STEP_MS, Math.max(200, context.leftMs()));
  while (Date.now() < end) {
    await pause(context.random.below(250));
    await context.random.pick(targets).edit(policyOf(context.random.pick(PLANS)));
    context.count('changes of plan');
  }
}

/** Mostly none. A lie here grants nothing, or refuses what is left. */
function faultOf(random: Random): ServiceFault | null {
  const [, wrong] = random.pick(Object.entries(WRONG_ANSWERS));
  return random.pick<() => ServiceFault | null>([
    () => null,
    () => null,
    () => null,
    () => ({
      kind: 'answer',
      change: (answer) => ({ overallCode: 2, statuses: answer.statuses.map((status) => ({ ...status, code: 2 })) }),
    }),
    () => ({
      kind: 'answer',
      change: (answer) => ({
        ...answer,
        statuses: answer.statuses.map((status) => ({ ...status, remaining: 2 ** 32 - 1 })),
      }),
    }),
    () => ({ kind: 'mutate', mutate: (good) => (typeof wrong === 'function' ? wrong(good) : wrong) }),
    () => ({ kind: random.pick(['hang', 'reset'] as const) }),
  ])();
}
