import { CORE_SCHEMA, load } from 'js-yaml';

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook_url: string };
}

/** The alerts of a rules file. */
export function alertsIn(text: string): Alert[] {
  const { groups } = load(text, { schema: CORE_SCHEMA }) as { groups: { rules: Alert[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** A series in an expression of ours, and what narrows it down. All of them have a prefix that no function of PromQL has. */
export const SELECTOR = /\b((?:tollgate|envoy|istio)_\w+)(?:\{([^}]*)\})?/g;
