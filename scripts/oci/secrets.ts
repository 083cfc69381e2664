/** What fits into a header beside the others. */
const MAX_TOKEN_LENGTH = 64 * 1024;

/** True for what an `Authorization` header can hold. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text) && text.length <= MAX_TOKEN_LENGTH;
}

/** What must not be shown: every secret that was used, in each form in which it is sent. A server might repeat one. */
export class Secrets {
  private readonly known = new Set<string>();

  add(secret: string): void {
    if (secret === '') return;
    const base64 = Buffer.from(secret).toString('base64');
    const forms = [
      secret,
      encodeURIComponent(secret),
      new URLSearchParams({ s: secret }).toString().slice(2),
      JSON.stringify(secret).slice(1, -1),
      base64,
      base64.replace(/=+$/, ''),
      Buffer.from(secret).toString('base64url'),
    ];
    for (const form of forms) this.known.add(form);
  }

  /** The text without any of them. To be called before a text is cut: half a secret is not found. */
  redact = (text: string): string => {
    let result = text;
    for (const secret of [...this.known].sort((a, b) => b.length - a.length)) result = result.replaceAll(secret, '***');
    return result;
  };
}
