import type {
  DeprecatedConfig,
  LifecycleConfig,
  MaintenanceConfig,
  MockConfig,
  RedirectConfig,
  RetiredConfig,
} from '../../contract/pluginConfig.ts';
import { MOCK_STATUS, REDIRECT_STATUS } from '../../contract/table.ts';
import { compiledLocation, type Lifecycle } from '../schema/lifecycle.ts';
import { epochSeconds } from '../schema/value.ts';

/** The lifecycle of an API, an operation or a route as the module reads it: headers are written here, once, and not for each answer. */
export function compileLifecycle({ deprecated, retired, maintenance, redirect, mock }: Lifecycle): LifecycleConfig {
  return {
    ...(deprecated && { deprecated: compileDeprecated(deprecated) }),
    ...(retired && { retired: compileRetired(retired) }),
    ...(maintenance && { maintenance: compileMaintenance(maintenance) }),
    ...(redirect && { redirect: compileRedirect(redirect) }),
    ...(mock && { mock: compileMock(mock) }),
  };
}

/** The Date of RFC 9745 is a structured field, that of RFC 8594 an HTTP-date. */
function compileDeprecated({ since, sunset, link, successor }: NonNullable<Lifecycle['deprecated']>): DeprecatedConfig {
  const links = linkHeader([
    [link, 'deprecation'],
    [sunset === undefined ? undefined : link, 'sunset'],
    [successor, 'successor-version'],
  ]);
  return {
    deprecation: `@${epochSeconds(since)!}`,
    ...(sunset !== undefined && { sunset: new Date(epochSeconds(sunset)! * 1000).toUTCString() }),
    ...links,
  };
}

function compileRetired({ from, link, successor, detail }: NonNullable<Lifecycle['retired']>): RetiredConfig {
  return {
    ...(from !== undefined && { from: epochSeconds(from)! }),
    ...linkHeader([
      [link, 'sunset'],
      [successor, 'successor-version'],
    ]),
    ...(detail !== undefined && { detail }),
  };
}

/** `<https://example.com/changes>; rel="deprecation", <…>; rel="sunset"` */
function linkHeader(links: readonly (readonly [target: string | undefined, relation: string])[]): { link?: string } {
  const given = links.filter(([target]) => target !== undefined);
  if (given.length === 0) return {};
  return { link: given.map(([target, relation]) => `<${target}>; rel="${relation}"`).join(', ') };
}

function compileMaintenance({ from, until, detail }: NonNullable<Lifecycle['maintenance']>): MaintenanceConfig {
  return {
    ...(from !== undefined && { from: epochSeconds(from)! }),
    ...(until !== undefined && { until: epochSeconds(until)! }),
    ...(detail !== undefined && { detail }),
  };
}

function compileRedirect({ status, to }: NonNullable<Lifecycle['redirect']>): RedirectConfig {
  return { ...(status !== REDIRECT_STATUS && { status }), to: compiledLocation(to) };
}

function compileMock({ status, headers = {}, body = '' }: NonNullable<Lifecycle['mock']>): MockConfig {
  const given = Object.entries(headers).map(([name, value]) => ({ name, value }));
  const typed = body === '' || Object.hasOwn(headers, 'content-type') ? [] : [contentType(body)];
  return {
    ...(status !== MOCK_STATUS && { status }),
    ...(given.length + typed.length > 0 && { headers: [...typed, ...given] }),
    ...(body !== '' && { body }),
  };
}

function contentType(body: string): { name: string; value: string } {
  return { name: 'content-type', value: isJson(body) ? 'application/json' : 'text/plain; charset=utf-8' };
}

/** A number or a word alone is meant as text. */
function isJson(body: string): boolean {
  if (!/^\s*[[{]/.test(body)) return false;
  try {
    JSON.parse(body);
    return true;
  } catch {
    return false;
  }
}
