import { METRICS, type Label, type MetricName } from '../scripts/contract/metrics.ts';

/** One line of Prometheus's text format about the module. */
export interface Series {
  readonly name: MetricName;
  readonly labels: Partial<Record<Label, string>>;
  readonly value: number;
}

/** The module's series on a page of `/stats/prometheus`. */
export function seriesIn(page: string): Series[] {
  return page.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^(tollgate_\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined || !Object.hasOwn(METRICS, name)) return [];
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, is]) => [label, is]);
    return [{ name: name as MetricName, labels: Object.fromEntries(pairs) as Series['labels'], value: Number(value) }];
  });
}

/** The sum of the series of a name that have these labels. */
export function totalOf(series: readonly Series[], name: MetricName, labels: Series['labels'] = {}): number {
  return series
    .filter((one) => one.name === name)
    .filter((one) => Object.entries(labels).every(([label, is]) => one.labels[label as Label] === is))
    .reduce((sum, { value }) => sum + value, 0);
}
