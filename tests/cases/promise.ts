import { X_RATELIMIT_HEADERS } from '../../scripts/contract/table.ts';
import { isGrpcRequest, isObserved, valuesOf } from './compare.ts';
import type { Case } from './load.ts';
import type { Outcome } from './runner.ts';
import { passes } from './reason.ts';
import type { WireRequest } from './wire.ts';

const STANDARD = ['ratelimit', 'ratelimit-policy'];

/** What holds for every outcome of every case, so that no case has to say it. */
export function brokenPromises(test: Case, request: WireRequest, outcome: Outcome): string[] {
  const secrets = secretsIn(test, request);
  if (isObserved(outcome) && outcome.upstream === null)
    return [...answeredPromises(outcome), ...corsPromises(request, outcome), ...leaks(secrets, outcome)];
  if (passes(outcome.reason) || isObserved(outcome))
    return [
      ...identityPromises(test, outcome),
      ...keptSecrets(test, secrets, outcome),
      ...corsPromises(request, outcome),
    ];
  if (/^preflight_(answered|refused)$/.test(outcome.reason) && !isGrpcRequest(request))
    return [...preflightPromises(outcome), ...corsPromises(request, outcome), ...leaks(secrets, outcome)];
  // a mock answers in the policy's own words
  if (outcome.reason === 'mocked' && !isGrpcRequest(request))
    return [...unreached(outcome), ...corsPromises(request, outcome), ...leaks(secrets, outcome)];
  if (outcome.reason === 'me_answered' && !isGrpcRequest(request))
    return [...mePromises(request, outcome), ...corsPromises(request, outcome), ...leaks(secrets, outcome)];
  const answer = isGrpcRequest(request) ? grpcPromises(outcome) : problemPromises(request, outcome);
  return [...answer, ...refusalPromises(test, outcome), ...corsPromises(request, outcome), ...leaks(secrets, outcome)];
}

/** To a browser two values are none, and any origin together with credentials is nothing. */
function corsPromises(request: WireRequest, { headers }: Outcome): string[] {
  const problems = ['allow-origin', 'allow-credentials', 'allow-methods', 'allow-headers', 'expose-headers', 'max-age']
    .filter((name) => valuesOf(headers, `access-control-${name}`).length > 1)
    .map((name) => `promise: access-control-${name} comes once at most`);
  const [origin] = valuesOf(headers, 'access-control-allow-origin');
  const sent = valuesOf(request.headers, 'origin');
  if (origin === '*' && valuesOf(headers, 'access-control-allow-credentials').length > 0)
    problems.push('promise: no credentials for any origin');
  if (origin !== undefined && origin !== '*') {
    if (sent.length !== 1 || sent[0] !== origin)
      problems.push(`promise: only the origin that was sent is allowed, got "${origin}"`);
    if (!valuesOf(headers, 'vary').some((value) => /(^|, ?)Origin($|,)/.test(value)))
      problems.push('promise: an answer for one origin varies by it');
  }
  return problems;
}

function preflightPromises(outcome: Outcome): string[] {
  const problems: string[] = [];
  if (outcome.upstream !== null) problems.push('promise: a preflight that is answered never reaches the upstream');
  if (outcome.body !== '') problems.push('promise: the answer to a preflight has no body');
  if (valuesOf(outcome.headers, 'content-type').length > 0)
    problems.push('promise: the answer to a preflight has no type');
  const varies = valuesOf(outcome.headers, 'vary').join();
  if (varies !== 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers')
    problems.push(`promise: the answer to a preflight varies by its question, got "${varies}"`);
  return problems;
}

/** What callers are told of their quotas is theirs alone, never kept, and what is known of a quota adds up. */
function mePromises(request: WireRequest, outcome: Outcome): string[] {
  const problems = unreached(outcome);
  const told = ['content-type', 'cache-control'].map((name) => valuesOf(outcome.headers, name).join());
  if (told.join() !== 'application/json,no-store')
    problems.push(`promise: told as JSON and not kept, got "${told.join()}"`);
  if (request.method === 'HEAD') return outcome.body === '' ? problems : [...problems, 'promise: HEAD has no body'];
  const { quotas } = JSON.parse(outcome.body) as { quotas: { limit: number; used: number; remaining: number }[] };
  const isWrong = ({ limit, used, remaining }: (typeof quotas)[number]): boolean =>
    used !== null && (used + remaining !== limit || used < 0 || remaining < 0);
  return quotas.some(isWrong)
    ? [...problems, `promise: used and remaining make the limit, got ${outcome.body}`]
    : problems;
}

/** What would have been refused may still be answered by a mock or a redirect: never with what was only observed. */
function answeredPromises({ body, reason }: Outcome): string[] {
  return body.includes(`urn:tollgate:reason:${reason}`) ? ['promise: a refusal that is only observed is not sent'] : [];
}

/**
 * As what a request passes that only observing lets pass: as somebody's where a quota would have refused it, as nobody's where the key or
 * the subscription would have. Neither decides what was looked at before the key.
 */
function passedAs(outcome: Outcome): string[] {
  if (!isObserved(outcome)) return [outcome.reason];
  if (/^(quota|concurrency)_/.test(outcome.reason)) return ['allowed'];
  if (!/ api=/.test(outcome.log!)) return ['unmatched'];
  if (/^(operation_not_in_plan|missing_scope)$/.test(outcome.reason)) return ['allowed'];
  if (/^(retired|maintenance|no_operation|method_not_allowed|invalid_path)$/.test(outcome.reason))
    return / plan=/.test(outcome.log!) ? ['allowed', 'anonymous'] : ['anonymous'];
  return ['anonymous'];
}

/** Identity headers come from the filter alone: once each, and only those the reason gives. */
function identityPromises(test: Case, outcome: Outcome): string[] {
  const { upstream } = outcome;
  if (upstream === null) return ['promise: a request that passes reaches the upstream'];
  // who chooses says in the case what the upstream gets
  if (/"identityHeaders":/.test(test.policy)) return [];
  const given: Record<string, string[]> = {
    allowed: ['x-tollgate-consumer', 'x-tollgate-plan', 'x-tollgate-route'],
    anonymous: ['x-tollgate-route'],
    preflight: ['x-tollgate-route'],
    unmatched: [],
  };
  const wanted = passedAs(outcome).map((reason) => given[reason]!.join());
  // callers without a key may have a plan
  if (/ plan=/.test(outcome.log ?? '') && !/ consumer=/.test(outcome.log ?? ''))
    wanted.push('x-tollgate-plan,x-tollgate-route');
  const found = upstream.headers
    .map(([name]) => name)
    .filter((name) => name.replaceAll('_', '-').startsWith('x-tollgate-'));
  return wanted.includes(found.sort().join())
    ? []
    : [`promise: upstream sees [${wanted.join('] or [')}] of x-tollgate-*, got [${found.join()}]`];
}

function keptSecrets(test: Case, secrets: string[], outcome: Outcome): string[] {
  if (outcome.reason === 'unmatched' || /"forwardKey": true/.test(test.policy)) return [];
  const seen = [outcome.upstream!.path, ...outcome.upstream!.headers.map(([, value]) => value)];
  return secrets
    .filter((key) => seen.some((text) => text.includes(key)))
    .map(() => 'promise: the upstream never sees the key');
}

function leaks(secrets: string[], outcome: Outcome): string[] {
  const seen = [outcome.body, outcome.log ?? '', ...outcome.headers.map(([, value]) => value)];
  return secrets
    .filter((key) => seen.some((text) => text.includes(key)))
    .map(() => 'promise: no reply or log holds the key');
}

function unreached({ upstream }: Outcome): string[] {
  return upstream === null ? [] : ['promise: a refused request never reaches the upstream'];
}

function refusalPromises(test: Case, outcome: Outcome): string[] {
  const problems = unreached(outcome);
  if (valuesOf(outcome.headers, 'cache-control').join() !== 'no-store') problems.push('promise: a refusal is no-store');
  const challenge = valuesOf(outcome.headers, 'www-authenticate');
  if (outcome.status === 401 && !challenge.some((text) => /^[A-Za-z][A-Za-z0-9-]* realm="[^"]+"/.test(text))) {
    problems.push(`promise: 401 carries a challenge with a realm, got ${JSON.stringify(challenge)}`);
  }
  if (outcome.reason === 'quota_exceeded') problems.push(...quotaPromises(test, outcome));
  return problems;
}

function quotaPromises({ policy }: Case, { headers, status }: Outcome): string[] {
  const problems: string[] = [];
  const wait = valuesOf(headers, 'retry-after').join();
  if (!/^[1-9]\d*$/.test(wait)) problems.push(`promise: ${status} of a quota says when to retry, got "${wait}"`);
  const style = /"rateLimitHeaders": "([^"]+)"/.exec(policy)?.[1] ?? 'standard';
  const shown = style === 'x-ratelimit' ? X_RATELIMIT_HEADERS : style === 'none' ? [] : STANDARD;
  for (const name of [...STANDARD, ...X_RATELIMIT_HEADERS]) {
    const times = (shown as readonly string[]).includes(name) ? 1 : 0;
    if (valuesOf(headers, name).length !== times)
      problems.push(`promise: a refused quota shows ${name} ${times} times`);
  }
  return problems;
}

function problemPromises(request: WireRequest, outcome: Outcome): string[] {
  const problems: string[] = [];
  const type = valuesOf(outcome.headers, 'content-type').join();
  if (type !== 'application/problem+json')
    problems.push(`promise: refusals are application/problem+json, got "${type}"`);
  if (request.method === 'HEAD') return outcome.body === '' ? problems : [...problems, 'promise: HEAD has no body'];
  try {
    const body = JSON.parse(outcome.body) as Record<string, unknown>;
    // a plan may give its quotas' refusals another type
    if (outcome.reason !== 'quota_exceeded' && body.type !== `urn:tollgate:reason:${outcome.reason}`)
      problems.push(`promise: body type, got ${String(body.type)}`);
    if (body.reason !== outcome.reason) problems.push(`promise: body reason, got ${String(body.reason)}`);
    if (body.status !== outcome.status) problems.push(`promise: body status, got ${String(body.status)}`);
    for (const name of ['title', 'detail']) {
      if (typeof body[name] !== 'string' || body[name] === '') problems.push(`promise: body has a ${name}`);
    }
  } catch {
    problems.push(`promise: the body is JSON, got ${JSON.stringify(outcome.body)}`);
  }
  return problems;
}

function grpcPromises(outcome: Outcome): string[] {
  const problems: string[] = [];
  const type = valuesOf(outcome.headers, 'content-type').join();
  if (!type.startsWith('application/grpc')) problems.push(`promise: gRPC is answered as gRPC, got "${type}"`);
  const message = valuesOf(outcome.headers, 'grpc-message').join();
  if (message === '' || message.startsWith('{')) problems.push(`promise: grpc-message is the detail, got "${message}"`);
  if (outcome.body !== '') problems.push('promise: a gRPC refusal is trailers-only');
  return problems;
}

/** Keys of this request that are too long to appear anywhere by chance. */
function secretsIn(test: Case, request: WireRequest): string[] {
  const texts = [request.path ?? '', ...request.headers.map(([, value]) => value)];
  const known = test.keys.filter((key) => texts.some((text) => text.includes(key)));
  const sent = request.headers.filter(([name]) => name.toLowerCase() === 'x-api-key').map(([, value]) => value);
  return [...new Set([...known, ...sent])].filter((key) => key.length >= 6);
}
