import { Agent, request } from 'node:http';
import { hold, pause, type Context } from './form.ts';
import type { Target } from './target.ts';

const PAUSE_MS = 40;
const CONNECTIONS = 4;

/** An honest consumer that goes on asking, over connections of its own, until it is told to stop. */
export class Bystander {
  private goesOn = true;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  private readonly over: Promise<void>;
  private fault: Error | null = null;

  constructor(
    private readonly context: Context,
    private readonly target: Target,
    private readonly who: string,
    private readonly key: string,
  ) {
    this.over = Promise.all(Array.from({ length: CONNECTIONS }, () => this.ask())).then(
      () => undefined,
      (error: Error) => void (this.fault = error),
    );
  }

  /** Throws a Fault if anything but 200 was answered. */
  async end(): Promise<void> {
    this.goesOn = false;
    await this.over;
    this.agent.destroy();
    if (this.fault !== null) throw this.fault;
  }

  private async ask(): Promise<void> {
    while (this.goesOn) {
      const status = await once(this.agent, this.target.port, this.key);
      this.context.count("bystanders' requests");
      this.target.isAlive();
      hold(status === 200, `${this.who}, who needs none of what the storm waits for, is answered ${status}`);
      await pause(PAUSE_MS);
    }
  }
}

function once(agent: Agent, port: number, key: string): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(
      { agent, host: '127.0.0.1', port, path: '/v1/pets', headers: { 'x-api-key': key } },
      (response) => {
        response
          .resume()
          .on('end', () => resolve(response.statusCode ?? 0))
          .on('error', () => resolve(0));
      },
    );
    sent.on('error', () => resolve(0)).end();
  });
}
