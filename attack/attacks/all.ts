import type { Attack } from '../form.ts';
import { addresses } from './address/addresses.ts';
import { commands } from './commands.ts';
import { configs } from './configs.ts';
import { counting } from './counting.ts';
import { credentials } from './key/credentials.ts';
import { crowds } from './address/crowds.ts';
import { deaths } from './flight/deaths.ts';
import { doors } from './doors.ts';
import { flights } from './flight/flights.ts';
import { headers } from './headers.ts';
import { identity } from './caller/identity.ts';
import { limited } from './key/limited.ts';
import { lists } from './lists.ts';
import { me } from './caller/me.ts';
import { modes } from './modes.ts';
import { operations } from './operations.ts';
import { origins } from './origins.ts';
import { pathData } from './data/pathData.ts';
import { plans } from './mesh/plans.ts';
import { query } from './query/query.ts';
import { redirects } from './redirects.ts';
import { registry } from './registry.ts';
import { resets } from './resets.ts';
import { services } from './mesh/services.ts';
import { settlement } from './flight/settlement.ts';
import { spellings } from './spellings.ts';
import { stories } from './stories.ts';
import { storms } from './storms.ts';
import { streams } from './streams.ts';
import { tokens } from './token/tokens.ts';
import { units } from './units.ts';

/** In the order in which they run: the worst that was ever found first. */
export const allAttacks: readonly Attack[] = [
  resets,
  storms,
  doors,
  spellings,
  pathData,
  operations,
  headers,
  credentials,
  limited,
  identity,
  tokens,
  addresses,
  crowds,
  origins,
  lists,
  modes,
  services,
  plans,
  units,
  counting,
  flights,
  deaths,
  settlement,
  me,
  query,
  configs,
  streams,
  redirects,
  registry,
  commands,
  stories,
];
