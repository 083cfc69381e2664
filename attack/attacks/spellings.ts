import { startEcho } from '../../scripts/upstream/echo.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { callHttp1, callHttp2, type Caller } from '../../harness/spellings/caller.ts';
import { spelling } from '../../harness/spellings/generate.ts';
import { dissent } from '../../harness/spellings/judge.ts';
import { MANAGERS } from '../../harness/spellings/managers.ts';
import { KEY, POLICIES, policyOf } from '../../harness/spellings/policy.ts';
import { READERS } from '../../harness/spellings/readers.ts';
import { hold, type Attack, type Context } from '../form.ts';

const BATCH = 100;
/** Envoys are started anew this often, so that a minute tries every connection manager. */
const ROUND_MS = 2000;

/** Every spelling that gets through is shown to independent models of servers: none may find another API than the one that judged it. */
export const spellings: Attack = {
  name: 'spellings',
  tries: `odd spellings of hosts and paths over HTTP/1.1 and HTTP/2, of which ${READERS.length} models of servers judge what gets through`,
  async run(context) {
    const echo = await startEcho('echo');
    context.cleanUp(() => echo.close());
    const managers = Object.values(MANAGERS);
    const policies = Object.values(POLICIES);
    for (let round = 0; context.isTimeLeft(); round++) {
      await tryOne(context, echo.url, policies[round % policies.length]!, managers[round % managers.length]!);
    }
  },
};

async function tryOne(
  context: Context,
  upstream: string,
  apis: (typeof POLICIES)[string],
  connectionManager: object,
): Promise<void> {
  const target = await context.open({ policy: policyOf(apis, digestOf(KEY)), upstream, workers: 1, connectionManager });
  const callers = [callHttp1(target.port), callHttp2(target.port)];
  const end = Date.now() + ROUND_MS;
  let passes = 0;
  // at least once: on a busy machine the time may be over when Envoy has started
  do {
    for (const caller of callers) passes += await tryBatch(context, apis, caller);
    target.isAlive();
  } while (Date.now() < end && context.isTimeLeft());
  for (const caller of callers) caller.close();
  target.isWell();
  hold(passes > 0, 'no spelling got through, so nothing was judged');
  await target.stop();
}

async function tryBatch({ random, count }: Context, apis: (typeof POLICIES)[string], caller: Caller): Promise<number> {
  let passes = 0;
  for (let i = 0; i < BATCH; i++) {
    const given = spelling(random);
    const passed = await caller.send(given);
    count('spellings');
    if (passed === null) continue;
    passes++;
    const found = dissent(apis, passed);
    hold(
      found.length === 0,
      `${JSON.stringify(given)} was forwarded as ${JSON.stringify(passed.forwarded)} and judged by ${passed.api ?? 'no API'}, but ${found[0]}`,
    );
  }
  count('got through', passes);
  return passes;
}
