import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import { burstLine, curlLine } from '../envoy/curl.ts';

export interface CurlAnswer {
  status: number;
  reason: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** One connection for all calls, so that one worker serves them and its quota is exact to the request. */
export class Caller {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(
    readonly port: number,
    readonly host: string | null,
  ) {}

  get(path: string, headers: Record<string, string>): Promise<CurlAnswer> {
    return new Promise((resolve, reject) => {
      const all = this.host === null ? headers : { host: this.host, ...headers };
      const sent = request(
        { agent: this.agent, host: '127.0.0.1', port: this.port, path, headers: all },
        (response) => {
          let body = '';
          response
            .setEncoding('utf8')
            .on('data', (text: string) => (body += text))
            .on('error', reject);
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              reason: response.statusMessage ?? '',
              headers: response.headers,
              body,
            }),
          );
        },
      );
      sent.on('error', reject).end();
    });
  }

  /** The command line that does the same. */
  curl(path: string, headers: Record<string, string>): string {
    return curlLine({ port: this.port, host: this.host, path, headers });
  }

  /** The command line for many of them, which prints their statuses. */
  burst(count: number, path: string, headers: Record<string, string>): string {
    return burstLine(count, { port: this.port, host: this.host, path, headers });
  }

  /** Calls made within one second of the clock; on a machine that stalls, made again until they are. */
  async withinOneSecond(count: number, path: string, headers: Record<string, string>): Promise<CurlAnswer[]> {
    for (;;) {
      await startOfSecond();
      const second = Math.floor(Date.now() / 1000);
      const answers: CurlAnswer[] = [];
      for (let i = 0; i < count; i++) answers.push(await this.get(path, headers));
      if (Math.floor(Date.now() / 1000) === second) return answers;
    }
  }

  close(): void {
    this.agent.destroy();
  }
}

/** The lines of an answer that a reader of the tour should see. */
export function important(answer: CurlAnswer): string[] {
  const shown = ['content-type', 'www-authenticate', 'retry-after', 'ratelimit-policy', 'ratelimit', 'x-upstream'];
  const lines = shown
    .filter((name) => answer.headers[name] !== undefined)
    .map((name) => `${name}: ${String(answer.headers[name])}`);
  const problem = answer.headers['content-type'] === 'application/problem+json' ? [answer.body.trim()] : [];
  return [`${answer.status} ${answer.reason}`, ...lines, ...problem];
}

/** Resolves a moment after a second of the clock has begun. */
function startOfSecond(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1010 - (Date.now() % 1000)));
}
