const MS = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** Waits until the current window has ended if it ends within `neededMs`, so that no counter resets in mid-test. */
export async function steady(window: keyof typeof MS, neededMs: number): Promise<void> {
  const left = MS[window] - (Date.now() % MS[window]);
  if (left < neededMs) await new Promise((resolve) => setTimeout(resolve, left + 20));
}

/** The hour, unless it ends within minutes; then the day, unless that does. */
export function steadyUnit(): 'hour' | 'day' | 'month' {
  if (MS.hour - (Date.now() % MS.hour) > 400_000) return 'hour';
  return MS.day - (Date.now() % MS.day) > 400_000 ? 'day' : 'month';
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
