import { Refusal } from '../cli/command.ts';
import { docker, reasonOf } from './client.ts';

/** What must be known of an engine before anything runs on it. */
export interface EngineFacts {
  /** The engine is an unprivileged user's, and root of its containers is that user. */
  readonly isRootless: boolean;
}

/** Asks the engine for itself; throws a Refusal with docker's own reason when none answers. */
export async function engineFacts(signal?: AbortSignal): Promise<EngineFacts> {
  const version = await docker(['version', '--format', '{{.Server.Version}}'], signal);
  if (version.code !== 0) throw new Refusal(`docker: no engine: ${reasonOf(version)}`);
  const info = await docker(['info', '--format', '{{json .SecurityOptions}}'], signal);
  return { isRootless: info.stdout.includes('name=rootless') };
}
