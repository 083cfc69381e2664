import {
  ABSENT,
  Tables,
  View,
  begin,
  decodeConfig,
  end,
  lengthOf,
  literal,
  pointerOf,
  resetArena,
  writeFormat,
} from "../filter/index";
import { LogLevel, log, pluginConfiguration, setTickPeriod } from "./host";
import { openRateLimitService } from "./rateLimitService";
import { Metrics } from "./metrics";
import { RateLimitServiceMetrics } from "./rateLimitServiceMetrics";
import { TICK_MILLISECONDS, install, openAccount, openRoot } from "./root";

const MAX_CONFIG_BYTES: u32 = 16 * 1024 * 1024;
const TOO_LONG = literal("plugin config: must have at most 16777216 bytes");

/** Puts the root's plugin config in force; false, with the old one still serving, when it cannot be. */
export function configure(rootId: u32, size: u32): bool {
  if (size > MAX_CONFIG_BYTES) return refuse(TOO_LONG);
  const document = size == 0 ? ABSENT : pluginConfiguration(size);
  if (document == ABSENT) return refuse(literal("plugin config: is empty"));
  const decoded = decodeConfig(pointerOf(document), lengthOf(document));
  const tables = decoded.tables;
  if (tables == null) return refuse(decoded.problem);
  // The document is the largest thing that comes in; nothing points into it any more.
  resetArena();

  const account = openAccount(tables.policy);
  if (
    !account.pulse.create() ||
    !account.pool.create() ||
    (tables.rateLimitService.cluster != ABSENT && !account.stocks.create())
  ) {
    tables.free();
    return refuse(literal("the host keeps no shared data, which quotas need"));
  }
  if (tables.rateLimitService.cluster != ABSENT && account.rateLimitServiceMetrics == null)
    account.rateLimitServiceMetrics = new RateLimitServiceMetrics(tables.policy);
  install(openRoot(rootId), tables, new Metrics(tables), account);
  openRateLimitService(account, tables);
  setTickPeriod(TICK_MILLISECONDS);
  log(LogLevel.Info, describe(tables));
  return true;
}

function refuse(problem: View): bool {
  begin();
  writeFormat(literal("tollgate: %s"), problem);
  log(LogLevel.Error, end());
  return false;
}

function describe(tables: Tables): View {
  begin();
  writeFormat(
    literal("tollgate: policy %s in force: %d APIs, %d plans, "),
    tables.policy,
    tables.apis.count,
    tables.plans.count,
  );
  writeFormat(literal("%d consumers, %d keys"), tables.consumers.count, tables.keyring.keys.count);
  return end();
}
