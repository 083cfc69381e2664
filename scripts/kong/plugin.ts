import { LIMITERS } from './limit.ts';
import type { KongDocument } from './document.ts';
import type { KongReading } from './entity.ts';

/** Plugins that find out who calls, in other ways than by key. */
export const OTHER_AUTHENTICATION = [
  ...['basic-auth', 'hmac-auth', 'jwt', 'oauth2', 'ldap-auth', 'session', 'oauth2-introspection', 'openid-connect'],
  ...['mtls-auth', 'ldap-auth-advanced', 'key-auth-enc', 'vault-auth', 'jwt-signer', 'saml', 'header-cert-auth', 'ace'],
];

const TAKEN: readonly string[] = ['key-auth', 'acl', 'cors', 'request-termination', ...LIMITERS];

/** Plugins that refuse some requests. What a policy cannot refuse passes, so that is said in another way. */
const GUARDS: Readonly<Record<string, string>> = {
  'ip-restriction': "is not taken over, so what it refuses passes: Envoy's RBAC filter looks at addresses",
  'bot-detection': "is not taken over, so what it refuses passes: Envoy's RBAC filter looks at the user agent",
  'request-size-limiting': "is not taken over, so what it refuses passes: Envoy's buffer filter limits bodies",
  'request-validator': 'is not taken over, so what it refuses passes: let the upstream check its input',
  'oas-validation':
    'is not taken over, so what it refuses passes: "tollgate import openapi" takes operations of the document over',
  opa: "is not taken over, so what it refuses passes: Envoy's external authorization asks OPA",
  'injection-protection':
    'is not taken over, so what it refuses passes: a web application firewall goes before or after Tollgate',
  'json-threat-protection':
    'is not taken over, so what it refuses passes: a web application firewall goes before or after Tollgate',
  'xml-threat-protection':
    'is not taken over, so what it refuses passes: a web application firewall goes before or after Tollgate',
  'response-ratelimiting': 'is not taken over: it counts what responses say, and no quota does',
  'graphql-rate-limiting-advanced': 'is not taken over: it counts by query, and no quota does',
  'ai-rate-limiting-advanced': 'is not taken over: it counts tokens of language models, and no quota does',
};

/** Plugins that change messages or where they go. */
const CHANGES: Readonly<Record<string, string>> = {
  'request-transformer':
    'is not taken over: a route may set and remove headers (setHeaders, removeHeaders, rewritePrefix)',
  'request-transformer-advanced':
    'is not taken over: a route may set and remove headers (setHeaders, removeHeaders, rewritePrefix)',
  'response-transformer': 'is not taken over: Envoy has header rules of its own',
  'response-transformer-advanced': 'is not taken over: Envoy has header rules of its own',
  'proxy-cache': 'is not taken over: Envoy has a cache filter',
  'proxy-cache-advanced': 'is not taken over: Envoy has a cache filter',
  'aws-lambda': 'is not taken over: requests go to the upstream; Envoy has a filter for AWS Lambda',
  mocking: 'is not taken over: a policy has "mock"',
  canary: 'is not taken over: name several services with weights in the upstream',
  'route-by-header': 'is not taken over: routes of a policy have conditions on headers',
  redirect: 'is not taken over: a policy has "redirect"',
};

const QUIET = [
  ...['prometheus', 'zipkin', 'opentelemetry', 'datadog', 'statsd', 'statsd-advanced', 'file-log', 'http-log'],
  ...['tcp-log', 'udp-log', 'syslog', 'loggly', 'kafka-log', 'correlation-id', 'app-dynamics'],
];

/** Reports the plugins that a policy cannot say. */
export function reportPlugins({ plugins }: KongDocument, reading: KongReading): void {
  for (const { name, pointer, fields } of plugins) {
    if (Object.hasOwn(fields, 'condition') && typeof fields['condition'] === 'string')
      reading.lose([...pointer, 'condition'], 'is not looked at: the plugin counts as if it ran for every request');
    if (TAKEN.includes(name) || OTHER_AUTHENTICATION.includes(name)) continue;
    if (QUIET.includes(name)) {
      reading.note(pointer, `"${name}" is not taken over: Envoy has logs, metrics and traces of its own`);
      continue;
    }
    const known = Object.hasOwn(GUARDS, name) ? GUARDS[name] : Object.hasOwn(CHANGES, name) ? CHANGES[name] : undefined;
    const shown = /^[a-z0-9-]{1,40}$/.test(name) ? `"${name}" ` : '';
    reading.lose(pointer, `${shown}${known ?? 'is not taken over: a policy has nothing like it'}`);
  }
}
