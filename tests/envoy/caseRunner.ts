import type { ConnectionOptions } from 'node:tls';
import type { Outcome, Runner, Session, UnderWay } from '../cases/runner.ts';
import type { WireRequest } from '../cases/wire.ts';
import type { Available } from '../../harness/envoy/available.ts';
import type { SettableClock } from '../../harness/envoy/settableClock.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { Peers, PROOF } from '../../harness/envoy/peer.ts';
import { requestBytes, sendRaw, type WireReply } from '../../harness/envoy/wireClient.ts';

/**
 * Runs cases on one Envoy with one worker, all in turn. Every case gets a vm_id of its own, and so VMs and counters of its
 * own: a fresh start in 10 ms instead of a new process in 300.
 */
export class EnvoyRunner implements Runner {
  readonly name = 'envoy';
  readonly virtualTime: boolean;
  readonly inProcess = false;
  readonly workers = 1;
  private test: EnvoyUnderTest | null = null;
  /** The same with TLS on its listener, for the cases that tell of a peer. */
  private secure: EnvoyUnderTest | null = null;
  private peers: Peers | null = null;
  private cases = 0;

  constructor(
    private readonly found: Available,
    private readonly clock: SettableClock | null,
    readonly withoutTls: string | false = false,
  ) {
    this.virtualTime = clock !== null;
  }

  async open(policy: string, startMs: number | null, hasPeers = false): Promise<Session> {
    const { clock } = this;
    clock?.set(startMs);
    const test = hasPeers ? await this.secured(policy) : await this.plain(policy);
    const vmId = `case-${++this.cases}`;
    const edit = async (text: string): Promise<void> =>
      test.envoy.apply({ ...(await test.snapshot(text, startMs ?? undefined)), vmId });
    await edit(policy);
    const send = async (request: WireRequest, atMs: number): Promise<Outcome> => {
      if (startMs !== null) clock?.set(startMs + atMs);
      return exchange(test, request, hasPeers ? await this.connectionOf(request) : null);
    };
    const begin = async (request: WireRequest, atMs: number): Promise<UnderWay> => {
      if (startMs !== null) clock?.set(startMs + atMs);
      return underWay(test, request, hasPeers ? await this.connectionOf(request) : null, (endMs) => {
        if (startMs !== null) clock?.set(startMs + endMs);
      });
    };
    return { edit, send, begin, close: () => Promise.resolve() };
  }

  private async plain(policy: string): Promise<EnvoyUnderTest> {
    return (this.test ??= await EnvoyUnderTest.start(policy, this.wound(), { concurrency: 1, verifiesTokens: true }));
  }

  private async secured(policy: string): Promise<EnvoyUnderTest> {
    this.peers ??= await Peers.make();
    const { transportSocket } = this.peers;
    const options = { concurrency: 1, transportSocket, filtersBefore: [PROOF], verifiesTokens: true };
    return (this.secure ??= await EnvoyUnderTest.start(policy, this.wound(), options));
  }

  /** A case that tells of a peer somewhere is about TLS everywhere: a request without one comes without a certificate. */
  private async connectionOf({ peer }: WireRequest): Promise<ConnectionOptions> {
    return this.peers!.client(peer?.uris ?? null, peer?.verified ?? true);
  }

  private wound(): Available {
    return this.found.skip === false && this.clock !== null
      ? { ...this.found, envoy: this.clock.wind(this.found.envoy) }
      : this.found;
  }

  async close(): Promise<void> {
    await this.test?.stop();
    await this.secure?.stop();
    await this.peers?.remove();
    await this.clock?.remove();
  }
}

async function exchange(test: EnvoyUnderTest, request: WireRequest, tls: ConnectionOptions | null): Promise<Outcome> {
  const logged = test.entries.length;
  const reached = test.seen.length;
  test.answers = request.answer ?? {};
  const reply = await sendRaw(test.port, requestBytes(request), request.method, request.from, tls);
  return outcomeOf(test, reply, logged, reached);
}

/** Begins a request and waits until the upstream has it, which answers when it is told to. */
async function underWay(
  test: EnvoyUnderTest,
  request: WireRequest,
  tls: ConnectionOptions | null,
  reach: (atMs: number) => void,
): Promise<UnderWay> {
  const reached = test.seen.length;
  const client = new AbortController();
  let answer = (): void => {};
  const arrived = new Promise<void>((resolve) => {
    test.holds = () => {
      test.holds = null;
      resolve();
      return new Promise((done) => (answer = () => done(request.answer)));
    };
  });
  const reply = sendRaw(test.port, requestBytes(request), request.method, request.from, tls, client.signal);
  const refused = reply.then((early) => {
    throw new Error(`not under way: ${early === null ? 'no reply' : early.status}`);
  });
  await Promise.race([arrived, refused]);
  refused.catch(() => {});
  return {
    end: async (atMs) => {
      reach(atMs);
      const logged = test.entries.length;
      answer();
      return outcomeOf(test, await reply, logged, reached);
    },
    reset: async (atMs) => {
      reach(atMs);
      const logged = test.entries.length;
      client.abort();
      await test.entry(logged);
    },
  };
}

async function outcomeOf(
  test: EnvoyUnderTest,
  reply: WireReply | null,
  logged: number,
  reached: number,
): Promise<Outcome> {
  if (reply === null) throw new Error('Envoy hung up without a reply');
  const entry = await test.entry(logged);
  const seen = test.seen[reached];
  const log = entry.tollgate ?? '';
  return {
    status: reply.status,
    headers: reply.headers,
    body: reply.body,
    upstream: seen === undefined ? null : { method: seen.method, path: seen.path, headers: seen.headers },
    reason: /(?:^| )reason=(\S+)/.exec(log)?.[1] ?? entry.fields.reason ?? `none (${entry.details ?? 'no details'})`,
    log,
    fields: { ...entry.fields },
  };
}
