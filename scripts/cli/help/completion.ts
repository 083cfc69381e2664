import { parseArgs } from 'node:util';
import { type Command, UsageError } from '../command.ts';
import { bashScript } from './bash.ts';
import { type Catalogue, usagesOf } from './catalogue.ts';
import { fishScript } from './fish.ts';
import { type Usage, usageOf } from './usage.ts';
import { zshScript } from './zsh.ts';

const usage = `tollgate completion: prints the completion script of your shell

usage: tollgate completion bash|zsh|fish

Completes commands, their options, what an option takes and files. The script is complete in itself: pressing Tab starts no
tollgate. Made from what --help says, so print it again after an upgrade.

  bash, for you         tollgate completion bash > ~/.local/share/bash-completion/completions/tollgate
  bash, this shell      source <(tollgate completion bash)
  zsh                   tollgate completion zsh > "\${fpath[1]}/_tollgate"    (or: source <(tollgate completion zsh))
  fish                  tollgate completion fish > ~/.config/fish/completions/tollgate.fish

example:
  source <(tollgate completion bash)`;

/** All commands as a completion script tells of them. */
export interface Completed {
  /** Usages by the command's name, the summary being that of `tollgate --help`. */
  readonly commands: readonly Usage[];
}

const SCRIPTS: Readonly<Record<string, (completed: Completed) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export function completionOf(catalogue: Catalogue): Command {
  return {
    usage,
    run: async (args, io) => {
      const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
      const [shell, ...more] = positionals;
      const script = shell !== undefined && Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
      if (script === undefined || more.length > 0)
        throw new UsageError(
          `takes one of ${Object.keys(SCRIPTS).join(', ')}${shell === undefined ? '' : `; found "${positionals.join(' ')}"`}`,
        );
      const usages = await usagesOf(catalogue);
      const commands = [...usages].map(([name, text]) => ({
        ...usageOf(text),
        name,
        summary: catalogue[name]!.summary,
      }));
      io.out(script({ commands }));
      return 0;
    },
  };
}
