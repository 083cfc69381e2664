/** A panel as the description has it: what it shows, and what it asks for. */
export interface Panel {
  readonly title: string;
  /** What an operator reads in it, and what to do about it. */
  readonly about: string;
  readonly kind: 'graph' | 'stack' | 'number' | 'table';
  /** Grafana's id of the unit. */
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Columns of a grid of 24. */
  readonly width: number;
  /** From where on a number is shown in yellow, and in red. */
  readonly alarm?: { readonly warning?: number; readonly critical?: number };
  /** Columns of a table, in their order. */
  readonly columns?: readonly string[];
}

export type Unit = 'reqps' | 'percentunit' | 'ms' | 'short' | 'none' | 'cps';

export interface Query {
  readonly promql: string;
  /** Name of each series, with labels in double braces. */
  readonly legend: string;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** Of the policies and proxies that were picked at the top of the dashboard. */
const CHOSEN = 'policy=~"$policy", instance=~"$instance"';
const PROXIES = 'instance=~"$instance"';

/** A series of the module, narrowed down. */
export function series(name: string, ...matchers: string[]): string {
  return `${name}{${[CHOSEN, ...matchers].join(', ')}}`;
}

/** A series of Envoy or Istio, which knows no policy. */
export function envoySeries(name: string, ...matchers: string[]): string {
  return `${name}{${[PROXIES, ...matchers].join(', ')}}`;
}

/** Increments a second, over what Grafana takes for long enough to hold some scrapes. */
export function rate(selected: string): string {
  return `rate(${selected}[$__rate_interval])`;
}

export function sum(expression: string, ...by: string[]): string {
  return `sum${by.length > 0 ? ` by (${by.join(', ')}) ` : ''}(${expression})`;
}

/** One part of a whole; nothing where the whole is zero. */
export function share(part: string, whole: string): string {
  return `${part} / (${whole} > 0)`;
}

/** Of requests whose time lies in a histogram, the time below which that part of them lies; nothing where there are none. */
export function quantile(part: number, buckets: string, ...by: string[]): string {
  return `histogram_quantile(${part}, ${sum(rate(buckets), 'le', ...by)}) >= 0`;
}
