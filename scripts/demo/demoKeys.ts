import { digestOf, newKey } from '../key/key.ts';
import type { PluginConfig } from '../policy/index.ts';

/**
 * Fresh keys for the consumers of a policy, held in memory only: their digests go into the compiled config, so that the demo
 * works on the committed example without a key, or a digest, ever being written to a file.
 */
export class DemoKeys {
  private readonly keys = new Map<string, { id: string; digest: string; key: string }>();

  /** The config with one more key for each consumer; a consumer that an edit adds gets one, too. */
  amend(config: PluginConfig): PluginConfig {
    const consumers = config.consumers.map((consumer) => {
      const { id, digest } = this.issued(consumer.name);
      return { ...consumer, keys: [...(consumer.keys ?? []), { id, digest }] };
    });
    return { ...config, consumers };
  }

  /** The demo's key of a consumer. */
  of(consumer: string): string {
    return this.issued(consumer).key;
  }

  private issued(consumer: string): { id: string; digest: string; key: string } {
    const known = this.keys.get(consumer);
    if (known) return known;
    const { id, key } = newKey();
    const issued = { id, digest: digestOf(key).slice('sha256:'.length), key };
    this.keys.set(consumer, issued);
    return issued;
  }
}
