import { test } from 'node:test';
import { guestSources } from '../../scripts/build/contract.ts';
import type * as config from '../../scripts/contract/pluginConfig.ts';
import type { Field, OBJECTS } from '../../scripts/contract/table.ts';
import { matchesGolden } from './golden.ts';

for (const [path, source] of Object.entries(guestSources())) {
  test(`${path} is what the table of the contract says`, () => {
    matchesGolden(source, new URL(`../../${path}`, import.meta.url));
  });
}

type NamesOf<T> = T extends unknown ? keyof T : never;
type NeededIn<F extends Record<string, Field>> = {
  [K in keyof F]: F[K]['isRequired'] extends true ? K : never;
}[keyof F];
type NeededOf<T> = T extends unknown ? { [K in keyof T]-?: object extends Pick<T, K> ? never : K }[keyof T] : never;

/** `true` for a type that has the table's fields and no other, and whose objects have all that the table requires. */
type Agrees<T, F extends Record<string, Field>> = [NamesOf<T>] extends [keyof F]
  ? [keyof F] extends [NamesOf<T>]
    ? [NeededIn<F>] extends [NeededOf<T>]
      ? true
      : { missing: Exclude<NeededIn<F>, NeededOf<T>> }
    : { missing: Exclude<keyof F, NamesOf<T>> }
  : { unknown: Exclude<NamesOf<T>, keyof F> };

type Item<T> = NonNullable<T> extends readonly (infer I)[] ? I : never;
type Objects = typeof OBJECTS;
type Types = {
  config: config.PluginConfig;
  accessLog: config.AccessLogConfig;
  identityHeaders: config.IdentityHeadersConfig;
  keyExpiryWarning: NonNullable<config.PluginConfig['keyExpiryWarning']>;
  keySource: config.KeySourceConfig;
  rateLimitService: config.RateLimitServiceConfig;
  api: config.ApiConfig;
  cors: config.CorsConfig;
  operation: config.OperationConfig;
  route: config.RouteConfig;
  deprecated: config.DeprecatedConfig;
  retired: config.RetiredConfig;
  maintenance: config.MaintenanceConfig;
  redirect: config.RedirectConfig;
  mock: config.MockConfig;
  headerCondition: config.HeaderConditionConfig;
  setHeader: Item<config.RouteConfig['setHeaders']>;
  plan: config.PlanConfig;
  concurrency: config.ConcurrencyConfig;
  refusal: config.RefusalConfig;
  quota: config.QuotaConfig;
  consumer: config.ConsumerConfig;
  subscription: config.SubscriptionConfig;
  ownLimit: Item<config.SubscriptionConfig['limits']>;
  key: config.KeyConfig;
  clientAddress: config.ClientAddressConfig;
  me: config.MeConfig;
  anonymousPlan: config.AnonymousPlanConfig;
  settlement: config.SettlementConfig;
  addresses: config.AddressesConfig;
  calendar: config.CalendarConfig;
  zone: config.ZoneConfig;
  zoneChange: Item<config.ZoneConfig['changes']>;
  token: config.TokenConfig;
  subjects: config.SubjectsConfig;
};

/** Compiles only while the types of the plugin config are the table's. */
export const agreement: { [K in keyof Objects]: Agrees<Types[K], Objects[K]> } = {
  config: true,
  accessLog: true,
  identityHeaders: true,
  keyExpiryWarning: true,
  keySource: true,
  rateLimitService: true,
  api: true,
  cors: true,
  operation: true,
  route: true,
  deprecated: true,
  retired: true,
  maintenance: true,
  redirect: true,
  mock: true,
  headerCondition: true,
  setHeader: true,
  plan: true,
  concurrency: true,
  refusal: true,
  quota: true,
  consumer: true,
  subscription: true,
  ownLimit: true,
  key: true,
  clientAddress: true,
  me: true,
  anonymousPlan: true,
  settlement: true,
  addresses: true,
  calendar: true,
  zone: true,
  zoneChange: true,
  token: true,
  subjects: true,
};
