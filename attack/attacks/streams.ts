import { connect, type Socket } from 'node:net';
import type { Snapshot } from '../../scripts/envoy/snapshot.ts';
import { hold, pause, type Attack, type Context } from '../form.ts';
import { Footprint } from '../footprint.ts';
import { attackedPolicy, keyOf } from '../policy.ts';
import { serves } from '../serving.ts';
import type { Target } from '../target.ts';

/** So many that the tables of a policy which is held on to show in Envoy's memory: about 2 MiB in each worker. */
const CONSUMERS = 8000;
const SOCKETS_PER_EDIT = 4;
/** In a wave all streams stay open; then they end together, and the next wave finds the room that they held on to. */
const EDITS_PER_WAVE = 6;
const WAVES = 12;
/** Less than one wave's tables, about 24 MiB in two workers. */
const SLACK_MIB = 16;
const OPENING = `GET /v1/pets HTTP/1.1\r\nhost: a.test\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nx-api-key: ${keyOf(0)}\r\n\r\n`;

/** Streams that outlive the policy by which they were let in. */
export const streams: Attack = {
  name: 'streams',
  tries:
    'waves of WebSockets that are kept open through edits, so that each holds on to the policy that let it in until it ends',
  weight: 2,
  async run(context) {
    while (context.isTimeLeft()) await attackOne(context);
  },
};

async function attackOne(context: Context): Promise<void> {
  const policy = attackedPolicy({
    quota: { limit: 1_000_000, window: 'day' },
    consumers: CONSUMERS,
    routes: ['before'],
  });
  const target = await context.open({ policy, workers: 2 });
  const first = target.snapshot(policy);
  const footprint = new Footprint(target, SLACK_MIB);
  const sockets: Tunnel[] = [];
  const closeAll = (): void => sockets.splice(0).forEach((socket) => socket.close());
  context.cleanUp(async () => closeAll());
  for (let wave = 1; wave <= WAVES && context.isTimeLeft(); wave++) {
    for (let edit = 1; edit <= EDITS_PER_WAVE; edit++) {
      sockets.push(...(await Promise.all(Array.from({ length: SOCKETS_PER_EDIT }, () => Tunnel.open(target)))));
      context.count('streams', SOCKETS_PER_EDIT);
      await target.envoy.apply(renamed(first, `r${wave}x${edit}`));
      context.count('edits');
      await context.random.pick(sockets).echoes(`edit ${edit}`);
      target.isWell();
    }
    await footprint.isBounded();
    for (const socket of sockets) await socket.echoes('still here');
    closeAll();
    context.count('waves');
    // An old root goes a moment after its last stream.
    await pause(300);
  }
  await serves(target, keyOf(1));
  await target.stop();
}

/** The same with another name of its one route. */
function renamed({ pluginConfig, routes, ...rest }: Snapshot, name: string): Snapshot {
  return {
    ...rest,
    pluginConfig: pluginConfig.replace('"name":"before"', `"name":"${name}"`),
    routes: routes.map((route) => ({ ...route, name: route.name.replace('/before', `/${name}`) })),
  };
}

/** An upgraded connection to the echo. */
class Tunnel {
  private received = '';

  private constructor(private readonly socket: Socket) {
    socket
      .setEncoding('latin1')
      .on('error', () => undefined)
      .on('data', (text: string) => (this.received += text));
  }

  static async open(target: Target): Promise<Tunnel> {
    const tunnel = new Tunnel(connect(target.port, '127.0.0.1'));
    tunnel.socket.write(OPENING);
    await tunnel.has('\r\n\r\n', 'an upgrade is not answered');
    hold(tunnel.received.startsWith('HTTP/1.1 101'), `an upgrade is answered ${tunnel.received.split('\r\n')[0]}`);
    return tunnel;
  }

  async echoes(text: string): Promise<void> {
    this.received = '';
    this.socket.write(text);
    await this.has(text, 'a stream that was let in echoes no more');
  }

  close(): void {
    this.socket.destroy();
  }

  private async has(text: string, otherwise: string): Promise<void> {
    for (const deadline = Date.now() + 5000; !this.received.includes(text); await pause(2))
      hold(Date.now() < deadline && !this.socket.destroyed, otherwise);
  }
}
