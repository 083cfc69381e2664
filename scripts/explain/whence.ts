import { isIP } from 'node:net';
import type { ApiConfig, ConsumerConfig, KeyConfig, PluginConfig } from '../contract/pluginConfig.ts';
import { HeaderMap, type Pair } from '../host/stream.ts';
import { compiledBlock } from '../policy/schema/address.ts';
import type { ExplainedCaller } from './caller.ts';
import type { Probe } from './probe.ts';

/** From where a request comes, as far as its decision depends on that. */
export interface WhenceStory {
  /** Null: nothing depends on the address. */
  readonly address: AddressStory | null;
  /** Null: the consumer may be called from any page. */
  readonly origin: OriginStory | null;
  /** Null: the caller is a consumer, or has no plan. */
  readonly visitor: VisitorStory | null;
}

export interface AddressStory {
  readonly from: 'connection' | 'x-forwarded-for';
  /** Of x-forwarded-for: which entry, counted from the right. */
  readonly entry: number | null;
  /** Null: it is not known. */
  readonly address: string | null;
  /** Whose list does not let it call; null: none keeps it out. */
  readonly refusedBy: 'key' | 'consumer' | null;
}

export interface OriginStory {
  /** The header that says so; null: neither is there. */
  readonly header: 'origin' | 'referer' | null;
  readonly isListed: boolean;
}

/** A caller without a key that has a plan. */
export interface VisitorStory {
  readonly plan: string;
  readonly by: 'address' | 'header';
  readonly header: string | null;
  /** All whose addresses lie in it count as one caller; null: those whose address is not known do. */
  readonly block: string | null;
  /** False where neither address nor header tells the caller from others like it. */
  readonly isTold: boolean;
}

/** As long a value of a header as tells callers apart: filter/quota/visitors. */
const MAX_MARK_BYTES = 256;
const LOCAL = '127.0.0.1';
const [IPV4_BITS, IPV6_BITS] = [32, 64];

interface Called {
  readonly config: PluginConfig;
  readonly api: ApiConfig;
  readonly consumer: ConsumerConfig | undefined;
  readonly key: KeyConfig | null;
  /** The plan that the decision names. */
  readonly plan: string | null;
}

export function whenceStory(
  called: Called,
  caller: ExplainedCaller,
  pairs: readonly Pair[],
  probe: Probe,
): WhenceStory {
  const { config, api, consumer, key, plan } = called;
  const { anonymousPlan } = api;
  const isVisitor = consumer === undefined && plan !== null && anonymousPlan?.plan === plan;
  const header = isVisitor ? anonymousPlan.header : undefined;
  const lists = { key: key?.addresses, consumer: consumer?.addresses };
  const isByAddress = isVisitor && header === undefined;
  const isAsked = isByAddress || lists.key !== undefined || lists.consumer !== undefined;
  const found = isAsked ? addressOf(config, caller, pairs, probe) : null;
  const keepsOut = (whose: 'key' | 'consumer'): boolean =>
    lists[whose] !== undefined && !probe.isFrom({ addresses: lists[whose] }, config.clientAddress);
  const refusedBy = (['key', 'consumer'] as const).find(keepsOut) ?? null;
  return {
    address: found === null ? null : { ...found, refusedBy },
    origin: consumer?.origins === undefined ? null : originStory(config, consumer.origins, pairs, probe),
    visitor: isVisitor ? visitorStory(config, plan, header, found?.address ?? null, pairs) : null,
  };
}

/** The address as it is read here, if the module reads the same. */
function addressOf(
  { clientAddress }: PluginConfig,
  { peer = LOCAL }: ExplainedCaller,
  pairs: readonly Pair[],
  probe: Probe,
): Omit<AddressStory, 'refusedBy'> {
  const entry = clientAddress?.trustedHops ?? null;
  const text = entry === null ? peer : (new HeaderMap(pairs).all('x-forwarded-for').join().split(',').at(-entry) ?? '');
  const [, bracketed, plain] = /^(?:\[([^\]]*)\](?::\d+)?|([^:]*)(?::\d+)?)$/.exec(text.trim()) ?? [];
  const bare = bracketed ?? plain ?? text.trim();
  const block = isIP(bare) === 0 || bare.includes('%') ? null : compiledBlock(bare);
  const isSame = block !== null && probe.isFrom({ addresses: { allow: [block] } }, clientAddress);
  return {
    from: entry === null ? 'connection' : 'x-forwarded-for',
    entry,
    address: isSame ? block.slice(0, block.lastIndexOf('/')) : null,
  };
}

function originStory(
  { clientAddress }: PluginConfig,
  origins: readonly string[],
  pairs: readonly Pair[],
  probe: Probe,
): OriginStory {
  const sent = new HeaderMap(pairs);
  const header = (['origin', 'referer'] as const).find((name) => sent.first(name) !== undefined) ?? null;
  return { header, isListed: probe.isFrom({ origins: [...origins] }, clientAddress) };
}

function visitorStory(
  { clientAddress }: PluginConfig,
  plan: string,
  header: string | undefined,
  address: string | null,
  pairs: readonly Pair[],
): VisitorStory {
  if (header !== undefined) {
    const [value = '', ...more] = new HeaderMap(pairs).all(header);
    const isTold = more.length === 0 && value.length > 0 && value.length <= MAX_MARK_BYTES;
    return { plan, by: 'header', header, block: null, isTold };
  }
  const { ipv4 = IPV4_BITS, ipv6 = IPV6_BITS } = clientAddress ?? {};
  const bits = address?.includes(':') ? ipv6 : ipv4;
  const block = address === null ? null : compiledBlock(`${address}/${bits}`);
  return { plan, by: 'address', header: null, block, isTold: address !== null };
}
