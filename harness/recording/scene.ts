/** A line that is typed, and what it waits for before the next one is. */
export interface Scene {
  readonly typed: string;
  /** A file of the folder, and how often the pattern must be in it. */
  readonly until?: { readonly file: string; readonly pattern: RegExp; readonly count: number };
}

const LOG = 'run.log';

/** What README.md shows: a mistake found, a key issued, a real Envoy, and the three answers that everybody wants to see. */
export const SCENES: readonly Scene[] = [
  { typed: 'tollgate check shop.yaml || true' },
  { typed: "sed -i 's/golden/gold/' shop.yaml" },
  { typed: 'KEY=$(tollgate keys issue --consumer acme --id acme-1 shop.yaml)' },
  {
    typed: `tollgate run shop.yaml > ${LOG} &`,
    until: { file: LOG, pattern: /take effect at once/g, count: 1 },
  },
  { typed: `head -1 ${LOG}` },
  { typed: `curl -si localhost:8080/v1/pets | grep -E 'HTTP|www|reason'` },
  { typed: `curl -s -H "x-api-key: $KEY" localhost:8080/v1/pets | grep -E 'x-(tollgate|api)'` },
  {
    typed: `for i in {0..9}; do curl -so/dev/null -w '%{http_code} ' -H "x-api-key: $KEY" localhost:8080/v1/pets; done`,
  },
  { typed: `curl -si -H "x-api-key: $KEY" localhost:8080/v1/pets | grep -iE '^(HTTP|retry|ratelimit)'` },
];
