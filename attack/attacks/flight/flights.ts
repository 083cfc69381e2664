import { FlightUpstream, fly, roomOf } from '../../../harness/envoy/flightLoad.ts';
import { digestOf } from '../../../harness/envoy/testPolicy.ts';
import { hold, pause, type Attack, type Context } from '../../form.ts';
import type { Target } from '../../target.ts';

const LIMIT = 8;
const ROUND_MS = 10_000;
const WORKERS = [4, 1, 2];
const KEYS = ['one-flying-secret', 'two-flying-secret'];

function policy(limit: number, route: string): string {
  return `policy: flights
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis:
  pets: { paths: [/v1], plans: [free], upstream: v1, routes: [{ name: ${route}, when: { headers: { x-take: ${route} } }, upstream: v1 }] }
plans: { free: { concurrency: ${limit}, quotas: { many: { limit: 100000000, window: day, burst: 1000000 } } } }
consumers:
${KEYS.map((key, i) => `  c${i}: { plan: free, keys: [{ id: k${i}, digest: "${digestOf(key)}" }] }\n`).join('')}`;
}

/** Streams end in every way there is while limits are edited: none may be counted twice, and none left behind. */
export const flights: Attack = {
  name: 'flights',
  tries:
    'streams that are reset on their way, answered and cut off while the limit of requests in flight is edited and Envoy drains',
  async run(context) {
    for (let round = 0; context.isTimeLeft(); round++) await attackOne(context, WORKERS[round % WORKERS.length]!);
  },
};

async function attackOne(context: Context, workers: number): Promise<void> {
  const upstream = await FlightUpstream.start(context.random);
  context.cleanUp(() => upstream.close());
  const target = await context.open({ policy: policy(LIMIT, 'a'), workers, upstream: upstream.url });
  const end = Date.now() + Math.min(ROUND_MS, context.leftMs());
  const goesOn = (): boolean => {
    target.isAlive();
    if (Date.now() >= end) return false;
    context.count('requests');
    return true;
  };
  const [tally] = await Promise.all([
    fly({ port: target.port, upstream, random: context.random, keys: KEYS, streams: 12, connections: 3, goesOn }),
    disturb(context, target, () => Date.now() < end),
  ]);
  context.count('resets', tally.reset);
  context.count('refusals', tally.refused);
  for (const key of KEYS)
    hold(upstream.mostOf(key) <= LIMIT, `${upstream.mostOf(key)} in flight of ${LIMIT}, with ${workers} workers`);
  await target.edit(policy(LIMIT, 'end'));
  for (const key of KEYS) {
    const room = await roomOf(target.port, upstream, key, LIMIT + 4);
    hold(room === LIMIT, `room for ${room} of ${LIMIT} once all have ended, with ${workers} workers`);
  }
  target.isWell();
  await target.stop();
}

/** Limits go down and up again, never above; who is counted together stays the same, under another name. */
async function disturb({ random, count }: Context, target: Target, goesOn: () => boolean): Promise<void> {
  for (let edit = 0; goesOn(); edit++) {
    await pause(random.below(250));
    if (random.chance(0.1)) await target.drain(random.below(100));
    await target.edit(policy(1 + random.below(LIMIT), `r${edit % 5}`));
    count('edits');
  }
}
