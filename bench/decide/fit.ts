/** Median; for an even number of values, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The quartile distance as a fraction of the median: the noise of a measurement. */
export function spread(values: readonly number[]): number {
  return (quantile(values, 0.75) - quantile(values, 0.25)) / median(values);
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)]!;
  return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at));
}

export interface Line {
  readonly slope: number;
  readonly start: number;
  /** Coefficient of determination: 1 for points on a line. */
  readonly fit: number;
}

/** Linear fit by least squares. */
export function line(points: readonly (readonly [x: number, y: number])[]): Line {
  const mean = (index: 0 | 1): number => points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const sum = (f: (x: number, y: number) => number): number =>
    points.reduce((total, [x, y]) => total + f(x - meanX, y - meanY), 0);
  const [xx, xy, yy] = [sum((x) => x * x), sum((x, y) => x * y), sum((_, y) => y * y)];
  const slope = xy / xx;
  return { slope, start: meanY - slope * meanX, fit: yy === 0 ? 1 : (xy * xy) / (xx * yy) };
}
