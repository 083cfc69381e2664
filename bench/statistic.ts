/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Minimum, median and maximum over the rounds. Noise only adds CPU time, so the minimum is the most reliable; the spread shows it. */
export interface Spread {
  readonly minimum: number;
  readonly median: number;
  readonly maximum: number;
}

export function spread(values: readonly number[]): Spread {
  return { minimum: Math.min(...values), median: median(values), maximum: Math.max(...values) };
}

/** The median of a figure computed in each round from that round's values, so that a disturbance of the whole round cancels out. */
export function paired(
  first: readonly number[],
  second: readonly number[],
  figure: (a: number, b: number) => number,
): number {
  if (first.length !== second.length) throw new Error(`${first.length} and ${second.length} rounds cannot be paired`);
  return median(first.map((value, round) => figure(value, second[round]!)));
}
