import { readFile, writeFile } from 'node:fs/promises';
import { styleText } from 'node:util';
import { Caller, important, type CurlAnswer } from './call.ts';
import type { Cast } from './cast.ts';
import type { Playground } from './playground.ts';

export interface Stage {
  cast: Cast;
  /** Serves the tour's own copy of the policy file. */
  playground: Playground;
  /** Resolves with the next thing the server says about an edit. */
  notice(): Promise<string>;
}

/** Whom the tour is played to. */
export interface Audience {
  out(text: string): void;
  /** Wants colours. */
  readonly isTerminal: boolean;
  /** Aborted when the user stops the tour. */
  readonly signal: AbortSignal;
}

/** One fact about an answer: what it should be, and whether it is. */
type Check = [fact: string, holds: boolean];

/** How soon a saved edit must be in force. */
const EDIT_MS = 1000;

/** Plays the requests of the README against a running server, prints them, and counts the facts that do not hold. */
export class Tour {
  private failures = 0;
  private step = 0;
  private readonly caller: Caller;

  constructor(
    private readonly stage: Stage,
    private readonly audience: Audience,
  ) {
    this.caller = new Caller(stage.playground.server.envoy.port, stage.cast.host);
  }

  async play(): Promise<number> {
    const steps = [
      () => this.withoutKey(),
      () => this.withKey(),
      () => this.byHeader(),
      () => this.overQuota(),
      () => this.badEdit(),
      () => this.goodEdit(),
    ];
    try {
      for (const step of steps) {
        this.audience.signal.throwIfAborted();
        await step();
      }
    } finally {
      this.caller.close();
    }
    this.audience.out(
      this.failures === 0
        ? `\nall ${this.step} steps answered as they should\n`
        : `\n${this.failures} facts do not hold\n`,
    );
    return this.failures;
  }

  private async withoutKey(): Promise<void> {
    this.title('a request without a key is refused');
    const answer = await this.call({});
    this.verify(refused(answer, 401, 'missing_api_key'), [
      'www-authenticate says how',
      answer.headers['www-authenticate'] !== undefined,
    ]);
  }

  private async withKey(): Promise<void> {
    const { gold } = this.stage.cast;
    this.title(`with the key of ${gold.consumer} it passes, and the upstream learns who called, not the key`);
    const answer = await this.call(this.keyHeader(gold.consumer));
    const seen = seenHeaders(answer);
    this.verify(
      ['200', answer.status === 200],
      [
        'ratelimit and ratelimit-policy',
        answer.headers['ratelimit'] !== undefined && answer.headers['ratelimit-policy'] !== undefined,
      ],
      [
        `upstream saw consumer ${gold.consumer}, plan ${gold.plan}`,
        seen['x-tollgate-consumer'] === gold.consumer && seen['x-tollgate-plan'] === gold.plan,
      ],
      ['upstream did not see the key', !answer.body.includes(this.stage.playground.keys.of(gold.consumer))],
    );
  }

  private async byHeader(): Promise<void> {
    const { gold, route } = this.stage.cast;
    this.title(`a header sends it to another upstream (route ${route.name})`);
    const usual = await this.caller.get(this.stage.cast.path, this.keyHeader(gold.consumer));
    const answer = await this.call({ ...this.keyHeader(gold.consumer), ...route.headers });
    this.verify(
      ['200', answer.status === 200],
      [`upstream saw route ${route.name}`, seenHeaders(answer)['x-tollgate-route'] === route.name],
      [
        'another upstream answered',
        answer.headers['x-upstream'] !== undefined && answer.headers['x-upstream'] !== usual.headers['x-upstream'],
      ],
    );
  }

  private async overQuota(): Promise<void> {
    const { free, path } = this.stage.cast;
    this.title(
      `${free.limit + 1} requests in one second with the key of ${free.consumer}, whose plan allows ${free.limit}`,
    );
    const headers = this.keyHeader(free.consumer);
    this.audience.out(`   $ ${this.caller.burst(free.limit + 1, path, headers)}\n`);
    const answers = await this.caller.withinOneSecond(free.limit + 1, path, headers);
    const last = answers.at(-1)!;
    this.show(last);
    this.verify(
      [`${free.limit} times 200`, answers.slice(0, -1).every((answer) => answer.status === 200)],
      refused(last, 429, 'quota_exceeded'),
      [`names the quota ${free.quota}`, problemOf(last)['quota'] === free.quota],
      ['retry-after', /^[1-9]\d*$/.test(last.headers['retry-after'] ?? '')],
    );
  }

  private async badEdit(): Promise<void> {
    this.title('an edit with a mistake is refused with its line, and the old policy keeps serving');
    const text = await readFile(this.stage.playground.file, 'utf8');
    const said = await this.save(`${text.trimEnd()}\nplanz: {}\n`);
    const line = text.trimEnd().split('\n').length + 1;
    const answer = await this.call(this.keyHeader(this.stage.cast.gold.consumer));
    this.verify(
      [`names line ${line}`, said.includes(`:${line}:`) && said.includes('planz')],
      ['200 from the old policy', answer.status === 200],
    );
    await this.save(text);
  }

  private async goodEdit(): Promise<void> {
    const { gold } = this.stage.cast;
    this.title('an edit is in force within a second: requests that match no API pass now; counters are kept');
    const key = this.keyHeader(gold.consumer);
    const before = remaining(await this.caller.get(this.stage.cast.path, key), gold.quota);
    const closed = await this.caller.get('/elsewhere', {});
    const text = await readFile(this.stage.playground.file, 'utf8');
    const started = Date.now();
    await this.save(
      /^unmatched:.*$/m.test(text)
        ? text.replace(/^unmatched:.*$/m, 'unmatched: allow')
        : `${text.trimEnd()}\nunmatched: allow\n`,
    );
    const took = Date.now() - started;
    const open = await this.caller.get('/elsewhere', {});
    const answer = await this.call(key);
    this.verify(
      ['/elsewhere: 404 before, 200 after', closed.status === 404 && open.status === 200],
      [`in force after ${took} ms`, took < EDIT_MS],
      [`${gold.quota}: ${before} remaining before, ${before - 1} after`, remaining(answer, gold.quota) === before - 1],
    );
  }

  /** Saves the policy and resolves with what the server says about it. */
  private async save(text: string): Promise<string> {
    const said = this.stage.notice();
    await writeFile(this.stage.playground.file, text);
    const notice = await said;
    this.audience.out(`   ${notice.replaceAll('\n', '\n   ')}\n`);
    return notice;
  }

  private keyHeader(consumer: string): Record<string, string> {
    return this.stage.cast.keyHeader(this.stage.playground.keys.of(consumer));
  }

  private async call(headers: Record<string, string>): Promise<CurlAnswer> {
    this.audience.out(`   $ ${this.caller.curl(this.stage.cast.path, headers)}\n`);
    const answer = await this.caller.get(this.stage.cast.path, headers);
    this.show(answer);
    return answer;
  }

  private show(answer: CurlAnswer): void {
    for (const line of important(answer)) this.audience.out(`     ${line}\n`);
  }

  private title(text: string): void {
    this.audience.out(`\n${this.paint('bold', `${++this.step}. ${text}`)}\n`);
  }

  private verify(...checks: Check[]): void {
    for (const [fact, holds] of checks) {
      if (!holds) this.failures++;
      this.audience.out(`   ${holds ? this.paint('green', '✓') : this.paint('red', '✗')} ${fact}\n`);
    }
  }

  private paint(style: 'bold' | 'green' | 'red', text: string): string {
    return this.audience.isTerminal ? styleText(style, text) : text;
  }
}

function refused(answer: CurlAnswer, status: number, reason: string): Check {
  return [
    `${status} application/problem+json, reason ${reason}`,
    answer.status === status && problemOf(answer)['reason'] === reason,
  ];
}

function problemOf(answer: CurlAnswer): Record<string, unknown> {
  return answer.headers['content-type'] === 'application/problem+json'
    ? (JSON.parse(answer.body) as Record<string, unknown>)
    : {};
}

/** The request headers that the echo upstream saw. */
function seenHeaders(answer: CurlAnswer): Record<string, string> {
  return answer.status === 200 ? (JSON.parse(answer.body) as { headers: Record<string, string> }).headers : {};
}

function remaining(answer: CurlAnswer, quota: string): number {
  return Number(new RegExp(`"${quota}";r=(\\d+)`).exec(String(answer.headers['ratelimit']))?.[1] ?? Number.NaN);
}
