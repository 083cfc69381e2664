import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Follower } from '../../scripts/envoy/follow.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';
import { CONTESTED, lostIn, nothingSaid, startRival, type Said } from '../../harness/rivals/contest.ts';
import { hold, pause, type Attack, type Context } from '../form.ts';
import type { Target } from '../target.ts';

const ROUND_MS = 10_000;
const LEAST_LIFE_MS = 100;
const MOST_LIFE_MS = 2500;
const RIVALS = 3;
const STEPS = 200;
const ASKED_KEYS = 12;

/** Keys are issued, imported, rotated and revoked by processes that are killed at any moment, in a policy that Envoy follows meanwhile. */
export const commands: Attack = {
  name: 'commands',
  tries: 'several keys commands at once on a policy that is being served, each killed at any moment',
  async run(context) {
    while (context.isTimeLeft()) await attackOne(context);
  },
};

async function attackOne(context: Context): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-attack-'));
  context.cleanUp(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'shop.policy.yaml');
  await writeFile(file, CONTESTED);
  const target = await context.open({ policy: CONTESTED });
  const served = { text: CONTESTED, said: [] as string[] };
  const follower = new Follower(
    { file, take: ({ files }) => take(files[0]!.text), say: (words) => void served.said.push(words) },
    { name: file, files: [{ file, text: CONTESTED }], isFolder: false },
  );
  const take = async (text: string): Promise<void> => {
    await target.edit(text);
    served.text = text;
    context.count('edits in force');
  };
  follower.start();
  const said = nothingSaid();
  const end = Date.now() + Math.min(ROUND_MS, context.leftMs());
  await Promise.all(Array.from({ length: RIVALS }, (_, lane) => rivalry(context, { file, lane, end, said })));
  await follower.look();
  await follower.stop();
  count(context, said);
  const lost = lostIn(file, said);
  hold(lost.length === 0, `${lost.length} things are wrong with the policy: ${lost.slice(0, 3).join('; ')}`);
  hold(served.said.length === 0, `an edit was not taken: ${served.said[0]}`);
  hold(served.text === (await readFile(file, 'utf8')), 'the policy in force is not the one in the file');
  await opens(context, target, said);
  target.isWell();
  await target.stop();
}

/** One process after the other, each killed in the middle of its work. */
async function rivalry(
  { random, count }: Context,
  { file, lane, end, said }: { file: string; lane: number; end: number; said: Said },
): Promise<void> {
  for (let life = 0; Date.now() < end; life++) {
    const rival = startRival(file, `r${lane}-${life}`, random.below(1e9), STEPS, said);
    await rival.begun;
    const lifeMs = LEAST_LIFE_MS + random.below(Math.min(MOST_LIFE_MS, Math.max(end - Date.now(), 0)) + 1);
    await Promise.race([rival.ended, pause(lifeMs)]);
    rival.kill();
    await rival.ended;
    count('processes');
  }
}

function count(context: Context, { issued, revoked }: Said): void {
  context.count('keys issued', issued.size);
  context.count('keys revoked', revoked.size);
}

/** What the commands said is what Envoy does: issued keys open, revoked ones do not. */
async function opens({ random }: Context, target: Target, said: Said): Promise<void> {
  const ids = [...said.issued];
  for (let asked = 0; asked < Math.min(ASKED_KEYS, ids.length); asked++) {
    const id = random.pick(ids);
    const reply = await sendRaw(
      target.port,
      requestBytes({ method: 'GET', path: '/v1/pets', host: 'a.test', headers: [['x-api-key', said.shown.get(id)!]] }),
    );
    if (said.revoked.has(id)) hold(reply?.status === 401, `the revoked key ${id} is answered ${reply?.status}`);
    else if (!said.revoking.has(id)) hold(reply?.status === 200, `the key ${id} is answered ${reply?.status}`);
  }
}
