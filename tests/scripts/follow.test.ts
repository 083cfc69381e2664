import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type PolicySource } from '../../scripts/file/openPolicy.ts';
import { EnvoyError } from '../../scripts/envoy/error.ts';
import { Follower } from '../../scripts/envoy/follow.ts';
import { waitFor } from '../../harness/mesh/wait.ts';
import { Random } from '../../harness/random.ts';
import { scratchFolder } from '../../harness/scratch.ts';

const WAIT_MS = 30_000;

function oneFile(file: string, text: string): PolicySource {
  return { name: file, files: [{ file, text }], isFolder: false };
}

/** A followed file, and what became of it: content with "bad" is refused, as a policy with problems is. */
class Trial {
  readonly heard: string[] = [];
  readonly taken: string[] = [];
  readonly follower: Follower;

  constructor(
    readonly file: string,
    private readonly takesMs: () => number = () => 0,
  ) {
    this.follower = new Follower(
      { file, take: ({ files }) => this.take(files[0]!.text), say: (text) => void this.heard.push(text) },
      oneFile(file, readFileSync(file, 'utf8')),
    );
  }

  private async take(text: string): Promise<void> {
    await pause(this.takesMs());
    if (text.includes('bad')) throw new EnvoyError(text);
    this.taken.push(text);
  }

  async hears(count: number): Promise<void> {
    await waitFor(`${count} messages`, () => this.heard.length >= count, WAIT_MS);
  }

  /** Resolves once the text is the last that was taken or refused. */
  async ends(text: string): Promise<void> {
    const isThere = (): boolean =>
      text.includes('bad') ? this.heard.at(-1)?.endsWith(text) === true : this.taken.at(-1) === text;
    for (const deadline = Date.now() + WAIT_MS; !isThere(); await pause(10)) {
      if (Date.now() > deadline)
        throw new Error(
          `lost ${text.trim()}; taken ${this.taken.slice(-3).join()}, heard ${this.heard.slice(-3).join()}`,
        );
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Ways to save content as the file. */
const saves: Record<string, (file: string, text: string, random: Random) => Promise<void> | void> = {
  inPlace: (file, text) => writeFileSync(file, text),
  inTwoSteps: async (file, text, random) => {
    writeFileSync(file, text.slice(0, text.length / 2));
    await pause(random.below(20));
    appendFileSync(file, text.slice(text.length / 2));
  },
  byRename: (file, text) => {
    writeFileSync(`${file}~`, text);
    renameSync(`${file}~`, file);
  },
  awayAndBack: async (file, text, random) => {
    unlinkSync(file);
    await pause(random.below(300));
    writeFileSync(file, text);
  },
  sameTime: (file, text) => {
    const { atime, mtime } = statSync(file);
    writeFileSync(file, text);
    utimesSync(file, atime, mtime);
  },
};

/** As Kubernetes updates a ConfigMap: policy.yaml is a link to ..data/policy.yaml, and ..data is switched. */
function switchFolder(folder: string, link: string, text: string, random: Random): void {
  const release = `release-${random.below(1e9)}`;
  mkdirSync(join(folder, release));
  writeFileSync(join(folder, release, 'policy.yaml'), text);
  symlinkSync(release, join(folder, `${link}-next`));
  renameSync(join(folder, `${link}-next`), join(folder, link));
}

const layouts: Record<
  string,
  (folder: string, random: Random) => { file: string; save: (text: string) => Promise<void> | void }
> = {
  'a file': (folder, random) => {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, 'old');
    return { file, save: (text) => saves[random.pick(Object.keys(saves))]!(file, text, random) };
  },
  'a ConfigMap': (folder, random) => {
    switchFolder(folder, '..data', 'old', random);
    symlinkSync(join('..data', 'policy.yaml'), join(folder, 'policy.yaml'));
    return { file: join(folder, 'policy.yaml'), save: (text) => switchFolder(folder, '..data', text, random) };
  },
  'a folder that is switched': (folder, random) => {
    switchFolder(folder, 'current', 'old', random);
    return {
      file: join(folder, 'current', 'policy.yaml'),
      save: (text) => switchFolder(folder, 'current', text, random),
    };
  },
};

for (const [name, layout] of Object.entries(layouts)) {
  test(`the newest text is taken in the end, whatever happens to ${name}`, { timeout: 120_000 }, async () => {
    const seed = Number(process.env['SEED'] ?? 12);
    await Promise.all(
      [...Array(12).keys()].map(async (lane) => {
        const random = new Random(seed + lane);
        const { file, save } = layout(scratchFolder(), random);
        const trial = new Trial(file, () => random.below(150));
        if (random.chance(0.5)) await save('policy: before anybody looks\n');
        trial.follower.start();
        for (let round = 0; round < 4; round++) {
          let text = '';
          for (let saved = 0, most = 1 + random.below(7); saved < most; saved++) {
            text = `${round}.${saved} in lane ${lane} is ${random.chance(0.3) ? 'bad' : 'fine'}\n`;
            await save(text);
            await pause(random.chance(0.5) ? 0 : random.below(120));
          }
          await trial
            .ends(text)
            .catch((error: unknown) =>
              assert.fail(`seed ${seed}, lane ${lane}, round ${round}: ${(error as Error).message}`),
            );
        }
        await trial.follower.stop();
        assert.deepEqual(
          trial.taken.filter((text) => !text.endsWith('\n')),
          [],
          `a half text was taken (seed ${seed})`,
        );
      }),
    );
  });
}

test('what was saved before it began is taken, and the file that did not change is not', async () => {
  const file = join(scratchFolder(), 'policy.yaml');
  writeFileSync(file, 'old');
  const [early, same] = [new Trial(file), new Trial(file)];
  same.follower.start();
  await same.follower.look();
  await same.follower.stop();
  writeFileSync(file, 'new');
  early.follower.start();
  await early.ends('new');
  await early.follower.stop();
  assert.deepEqual([early.taken, same.taken], [['new'], []]);
});

test('says once that the file is gone or is not a file, and goes on when it is back', { timeout: 30_000 }, async () => {
  const file = join(scratchFolder(), 'policy.yaml');
  writeFileSync(file, 'old');
  const trial = new Trial(file);
  trial.follower.start();
  unlinkSync(file);
  await trial.hears(1);
  // some more readings, about which nothing is said
  await pause(1000);
  mkdirSync(file);
  await trial.hears(2);
  await pause(1000);
  rmSync(file, { recursive: true });
  writeFileSync(file, 'new');
  await trial.ends('new');
  await trial.follower.stop();
  assert.deepEqual(trial.heard, [
    `${file} is gone; the policy in force keeps serving`,
    `edit refused, the old policy keeps serving:\n${file}: must have a policy file: one whose name ends in .yaml, .yml or .json and does not begin with "."`,
  ]);
});

test('a timeout is retried, with one message about it', { timeout: 30_000 }, async () => {
  const file = join(scratchFolder(), 'policy.yaml');
  writeFileSync(file, 'old');
  const heard: string[] = [];
  let tries = 0;
  const take = (): Promise<void> =>
    ++tries < 4 ? Promise.reject(new Error('did not take it in time')) : Promise.resolve();
  const follower = new Follower({ file, take, say: (text) => void heard.push(text) }, oneFile(file, 'older'));
  follower.start();
  while (tries < 4) await pause(50);
  await follower.stop();
  assert.deepEqual(heard, ['edit refused, the old policy keeps serving:\ndid not take it in time']);
});
