import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { Refusal } from '../cli/command.ts';
import { isKin } from './domain.ts';
import { zoneOf, type Zone } from './zone.ts';

/** Every address of a name. */
export type Resolve = (name: string) => Promise<readonly LookupAddress[]>;

export interface ReachOptions {
  /** http to more than loopback. */
  readonly plainHttp: boolean;
  /** `HOST` or `HOST:PORT` that the user vouches for. */
  readonly allowedHosts: readonly string[];
  readonly resolve?: Resolve;
}

/** Where a registry in the first zone may send its clients: never nearer to them than it is itself, and never to a cloud's metadata. */
const OPEN: Readonly<Record<Zone, readonly Zone[]>> = {
  public: ['public'],
  private: ['public', 'private'],
  loopback: ['public', 'private', 'loopback'],
  'link-local': ['public', 'link-local'],
  special: ['public'],
};

/** Zones of connections that are open: one may be used again when nothing of how it was made is to be seen any more. */
const zones = new WeakMap<Socket, Zone>();

/** What one request needs of the reach on its way. */
export interface Approach {
  /** Resolves names for the connection, and refuses what they resolve to. */
  readonly lookup: LookupFunction;
  /** Told the connection that the answer came over. */
  readonly met: (socket: Socket) => void;
}

/**
 * Which addresses may be spoken to while pushing to one registry. What it names (a token service, an upload address, a redirect) is judged by
 * the address that the connection is made to, not by its name: a name may resolve to anything.
 */
export class Reach {
  /** Where the registry itself is; null until it has been met. */
  private zone: Zone | null = null;

  constructor(
    private readonly host: string,
    private readonly options: ReachOptions,
  ) {}

  /** Refuses an address that is wrong as it is written. */
  approach(url: URL): Approach {
    // a Location with a password would make us log in wherever it leads
    if (url.username !== '' || url.password !== '')
      throw new Refusal(`${this.host}: sends to ${url.host} with a user or password in the address; that is refused`);
    const name = bare(url.hostname);
    const literal = isIP(name) === 0 ? null : name;
    if (literal !== null) this.judge(url, literal);
    let isDirect = false;
    const lookup: LookupFunction = (asked, { all = false }, done) => {
      // a proxy's name is looked up here as well, and is the user's own choice
      isDirect = asked === url.hostname;
      this.addresses(url, asked).then(
        (found) => (all ? done(null, [...found]) : done(null, found[0]?.address ?? '', found[0]?.family)),
        (error: NodeJS.ErrnoException) => done(error, '', 0),
      );
    };
    return {
      lookup,
      met: (socket) => this.meet(url, socket, literal ?? (isDirect ? socket.remoteAddress : undefined)),
    };
  }

  /** The registry's own address says what it may name. */
  private meet(url: URL, socket: Socket, address: string | undefined): void {
    if (address !== undefined) zones.set(socket, zoneOf(address));
    // through a proxy nothing is known of the registry's address, and it may well be in the same private network
    if (this.zone === null && this.isOwn(url)) this.zone = zones.get(socket) ?? 'private';
  }

  /** True when the registry's user and password may go to this token service. */
  mayHoldCredentials(url: URL): boolean {
    return isKin(this.host, url.host) || this.isAllowed(url);
  }

  private async addresses(url: URL, name: string): Promise<readonly LookupAddress[]> {
    const found = await (this.options.resolve ?? resolveByDefault)(name);
    if (name === url.hostname) for (const { address } of found) this.judge(url, address);
    return found;
  }

  private judge(url: URL, address: string): void {
    const zone = zoneOf(address);
    const where = address === bare(url.hostname) ? url.host : `${url.host} (${address})`;
    if (url.protocol === 'http:' && !this.options.plainHttp && zone !== 'loopback')
      throw new Refusal(
        `${this.host}: sends over plain http to ${where}; only loopback is spoken to like that, unless you say --plain-http`,
      );
    if (this.isAllowed(url) || this.isTrustedOwn(url) || this.zone === null) return;
    if (OPEN[this.zone].includes(zone)) return;
    throw new Refusal(
      `${this.host}: sends to ${where}, a ${zone} address, and is itself at a ${this.zone} one; that is refused; if it is meant, say --allow-host ${url.hostname}`,
    );
  }

  private isAllowed(url: URL): boolean {
    return this.options.allowedHosts.some((host) => [url.host, url.hostname].includes(host.toLowerCase()));
  }

  private isOwn(url: URL): boolean {
    return url.host === new URL(`${url.protocol}//${this.host}`).host;
  }

  /** A certificate proves that the name still leads to the registry; over http it may lead anywhere by now. */
  private isTrustedOwn(url: URL): boolean {
    return this.isOwn(url) && (url.protocol === 'https:' || this.zone === null);
  }
}

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function resolveByDefault(name: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(name, { all: true }, (error, found) => (error === null ? resolve(found) : reject(error)));
  });
}
