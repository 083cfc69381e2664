import { readdir, readFile } from 'node:fs/promises';

/** CPU time in nanoseconds of a process's threads since they began. */
export interface CpuTime {
  readonly allNanoseconds: number;
  /** CPU time of the thread that handles requests, found by Envoy's name for it. */
  readonly workerNanoseconds: number;
}

const WORKER = /^wrk:worker_/;

/**
 * Sum over the threads of a process, from the scheduler's statistics: exact to the nanosecond, where `times` counts ticks of 10 ms.
 * (The time of a thread that has ended is missing; Envoy's threads do not end.)
 */
export async function cpuTime(pid: number): Promise<CpuTime> {
  let all = 0;
  let worker = 0;
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const [schedule, name] = await Promise.all([read(pid, thread, 'schedstat'), read(pid, thread, 'comm')]);
    const spent = Number(schedule.split(' ')[0] ?? 0);
    all += spent;
    if (WORKER.test(name)) worker += spent;
  }
  return { allNanoseconds: all, workerNanoseconds: worker };
}

async function read(pid: number, thread: string, name: string): Promise<string> {
  return readFile(`/proc/${pid}/task/${thread}/${name}`, 'utf8').catch(() => '');
}
