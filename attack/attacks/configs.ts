import { EnvoyError } from '../../scripts/envoy/error.ts';
import { sendRaw, requestBytes } from '../../harness/envoy/wireClient.ts';
import { hold, pause, type Attack, type Context } from '../form.ts';
import { damageText, damageTree } from '../damage.ts';
import { attackedPolicy, keyOf } from '../policy.ts';
import { serves } from '../serving.ts';
import type { Target } from '../target.ts';

const GOOD = attackedPolicy({
  quota: { limit: 1_000_000, window: 'day' },
  consumers: 5,
  routes: ['a', 'b'],
  bystanders: true,
});
/** What the module and Envoy say of a config that they refuse. */
const REFUSED = /plugin config|Wasm|wasm log|DiscoveryUpdate|config_discovery|extension|gRPC config|Filesystem/i;
/** What a VM says that has died. */
const DIED = /Uncaught|RangeError|RuntimeError|unreachable|call stack|abort|memory access/i;
const ROUND = 120;
const PAUSE_MS = 15;

/** Plugin configs that nobody compiled, delivered to an Envoy that serves. */
export const configs: Attack = {
  name: 'configs',
  tries: 'plugin configs with bytes flipped, cut, doubled, deep or huge, while the old one serves',
  async run(context) {
    while (context.isTimeLeft()) await attackOne(context);
  },
};

async function attackOne(context: Context): Promise<void> {
  const target = await context.open({ policy: GOOD, workers: context.random.pick([1, 2]) });
  const good = target.snapshot(GOOD).pluginConfig;
  const traffic = new Traffic(context, target);
  for (let i = 0; i < ROUND && context.isTimeLeft(); i++) {
    const bad = context.random.chance(0.5) ? damageText(context.random, good) : damageTree(context.random, good);
    context.count('configs');
    if (await isTaken(target, bad)) {
      context.count('of them taken');
      // What another reader of JSON does not understand, the module must not either.
      hold(isJson(bad), `a plugin config that is no JSON was taken: ${excerpt(bad, good)}`);
      await traffic.pass();
      await holdShut(target, bad, good);
      await target.envoy.apply(target.snapshot(GOOD));
    } else {
      await traffic.pass();
      const reply = await ask(target, keyOf(0));
      hold(reply === 200, `after a refused plugin config the old one answers ${reply}: ${excerpt(bad, good)}`);
    }
    isAlive(target, bad, good);
  }
  await traffic.end();
  await serves(target, keyOf(1));
  await target.stop();
}

async function isTaken(target: Target, pluginConfig: string): Promise<boolean> {
  try {
    await target.envoy.apply({ ...target.snapshot(GOOD), pluginConfig });
    return true;
  } catch (error) {
    target.isAlive();
    if (!(error instanceof EnvoyError)) throw error;
    return false;
  }
}

/** Damage must not open a door that the document, read by others, keeps shut. */
async function holdShut(target: Target, taken: string, good: string): Promise<void> {
  const { unmatched, apis } = JSON.parse(taken) as {
    unmatched?: string;
    apis: { paths: string[]; hosts?: string[]; anonymous?: string }[];
  };
  const isShut = unmatched !== 'allow' && apis.every(({ anonymous }) => anonymous !== 'allow');
  const status = await ask(target, null);
  hold(
    !isShut || status !== 200,
    `without a key, under a damaged plugin config that was taken: ${status}; ${excerpt(taken, good)}`,
  );
}

function isAlive(target: Target, bad: string, good: string): void {
  target.isAlive();
  const died = target.envoy.logged.find((line) => DIED.test(line) && !line.includes('plugin config:'));
  hold(died === undefined, `a VM died: ${died}; of ${excerpt(bad, good)}`);
  target.isWell(REFUSED);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Where the damage begins. */
function excerpt(bad: string, good: string): string {
  let at = 0;
  while (at < bad.length && bad[at] === good[at]) at++;
  return `at ${at} of ${bad.length}: ${JSON.stringify(bad.slice(Math.max(0, at - 60), at + 60))}`;
}

/** Requests that go on all the while; whichever config serves, it decides them. */
class Traffic {
  private goesOn = true;
  private asked = 0;
  private fault: Error | null = null;
  private readonly over: Promise<void>;

  constructor(
    private readonly context: Context,
    private readonly target: Target,
  ) {
    this.over = this.run().catch((error: Error) => void (this.fault = error));
  }

  /** Waits until one more request has been decided. */
  async pass(): Promise<void> {
    const before = this.asked;
    while (this.asked === before && this.fault === null) await pause(2);
    if (this.fault !== null) throw this.fault;
  }

  async end(): Promise<void> {
    this.goesOn = false;
    await this.over;
    if (this.fault !== null) throw this.fault;
  }

  private async run(): Promise<void> {
    while (this.goesOn) {
      const status = await ask(this.target, keyOf(this.context.random.below(5)));
      this.asked++;
      this.context.count('requests');
      this.target.isAlive();
      hold(status !== 0 && status !== 500, `a request is answered ${status} while configs are tried`);
      await pause(PAUSE_MS);
    }
  }
}

async function ask(target: Target, key: string | null): Promise<number> {
  const reply = await sendRaw(
    target.port,
    requestBytes({
      method: 'GET',
      path: '/v1/pets',
      host: 'a.test',
      headers: key === null ? [] : [['x-api-key', key]],
    }),
  ).catch(() => null);
  return reply?.status ?? 0;
}
