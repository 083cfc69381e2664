export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A series over time: pairs of seconds and value. */
export interface Line {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly (readonly [atSeconds: number, value: number])[];
}

export interface Span {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly stepSeconds: number;
}

export interface Rule {
  readonly name: string;
  readonly health: string;
  readonly state: string;
}

/** What a Prometheus says about what it has read. */
export class PrometheusClient {
  constructor(private readonly url: string) {}

  /** The result of an expression, now or then; throws with Prometheus's own words when it is none. */
  async query(expression: string, atSeconds?: number): Promise<Sample[]> {
    const time = atSeconds === undefined ? {} : { time: String(atSeconds) };
    const { resultType, result } = (await this.ask('query', { query: expression, ...time })) as {
      resultType: string;
      result: { metric: Record<string, string>; value: [number, string] }[];
    };
    if (resultType !== 'vector') throw new Error(`a ${resultType}, not a vector: ${expression}`);
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** The results of an expression over a span of time. */
  async range(expression: string, { fromSeconds, toSeconds, stepSeconds }: Span): Promise<Line[]> {
    const { result } = (await this.ask('query_range', {
      query: expression,
      start: String(fromSeconds),
      end: String(toSeconds),
      step: String(stepSeconds),
    })) as { result: { metric: Record<string, string>; values: [number, string][] }[] };
    return result.map(({ metric, values }) => ({
      labels: metric,
      points: values.map(([at, value]) => [at, Number(value)] as const),
    }));
  }

  /** The one number that an expression comes to; 0 for none. */
  async number(expression: string): Promise<number> {
    const samples = await this.query(expression);
    if (samples.length > 1) throw new Error(`${samples.length} series, not one: ${expression}`);
    return samples[0]?.value ?? 0;
  }

  async rules(): Promise<Rule[]> {
    const { groups } = (await this.ask('rules', {})) as { groups: { rules: Rule[] }[] };
    return groups.flatMap(({ rules }) => rules);
  }

  private async ask(what: string, parameters: Record<string, string>): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1/${what}?${new URLSearchParams(parameters).toString()}`);
    const answer = (await response.json()) as { status: string; data: unknown; error?: string };
    if (answer.status !== 'success')
      throw new Error(`${answer.error ?? response.status}: ${parameters['query'] ?? what}`);
    return answer.data;
  }
}
