import { z } from 'zod';

const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const FULL_HOST = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/;
const LABEL_NAME = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const GATEWAY = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\/)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

const NAME63_RULE = 'must be a Kubernetes name: 1 to 63 lower-case letters, digits and "-", with no "-" at its ends';
const RESOURCE_RULE = 'must be the name of a Kubernetes resource: lower-case letters, digits, "-" and "."';
const HOST_RULE =
  'must be a full host such as petstore.shop.svc.cluster.local; a short one would depend on the namespace it is read in';
const LABEL_NAME_RULE = 'must be the name of a Kubernetes label, such as app or app.kubernetes.io/name';
const LABEL_VALUE_RULE = 'must be the value of a Kubernetes label: 1 to 63 letters, digits, "-", "_" and "."';
const GATEWAY_RULE = 'must be the name of a Gateway, or NAMESPACE/NAME';
const DURATION_RULE = 'must be a time such as 500ms, 5s or 1m: a whole number above 0 and its unit (ms, s, m, h)';
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Names of Kubernetes' smaller kinds: namespaces, services, subsets. */
export function name63(description: string) {
  return z.string().regex(DNS_LABEL, { error: NAME63_RULE }).meta({ description });
}

export function resourceName(description: string) {
  return z.string().regex(DNS_NAME, { error: RESOURCE_RULE }).meta({ description });
}

export function meshHost(description: string) {
  return z
    .string()
    .regex(FULL_HOST, { error: HOST_RULE })
    .meta({ description, examples: ['petstore.shop.svc.cluster.local'] });
}

export function gatewayName(description: string) {
  return z.string().regex(GATEWAY, { error: GATEWAY_RULE }).meta({ description });
}

/** Labels that pods are chosen by; none at all would choose every pod. */
export function labels(description: string) {
  return z
    .record(
      z.string().regex(LABEL_NAME, { error: LABEL_NAME_RULE }),
      z.string().regex(LABEL_VALUE, { error: LABEL_VALUE_RULE }),
    )
    .refine((labels) => Object.keys(labels).length > 0, { error: 'must name a label' })
    .meta({ description });
}

export function duration(description: string) {
  return z
    .string()
    .regex(/^[1-9][0-9]{0,4}(?:ms|s|m|h)$/, { error: DURATION_RULE })
    .meta({ description, examples: ['5s'] });
}

/** Milliseconds of a duration, or null for what is none. */
export function durationMs(text: string): number | null {
  const match = /^(\d+)(ms|s|m|h)$/.exec(text);
  return match === null ? null : Number(match[1]) * UNIT_MS[match[2]!]!;
}

export function wholeFrom(least: number, most: number, description: string) {
  const rule = `must be a whole number from ${least} to ${most}`;
  return z
    .number({ error: rule })
    .min(least, { error: rule })
    .max(most, { error: rule })
    .multipleOf(1, { error: rule })
    .meta({ description });
}

export function port(description: string) {
  return wholeFrom(1, 65_535, description);
}
