import { requestBytes, sendRaw } from '../tests/envoy/wireClient.ts';
import { hold, pause } from './form.ts';
import type { Target } from './target.ts';

const SERVING_MS = 5000;

/** Throws a Fault unless an honest consumer with units left is served soon: outages that were made end within seconds. */
export async function serves(target: Target, key: string): Promise<void> {
  const deadline = Date.now() + SERVING_MS;
  for (;;) {
    target.isAlive();
    const reply = await sendRaw(target.port, requestBytes({ method: 'GET', path: '/v1/pets', host: 'a.test', headers: [['x-api-key', key]] }));
    if (reply?.status === 200) return;
    hold(Date.now() < deadline, `an honest request is answered ${reply?.status ?? 'not at all'} ${SERVING_MS / 1000} s after the attack: ${reply?.body}`);
    await pause(50);
  }
}
