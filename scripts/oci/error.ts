/** What keeps an image from being made, read or pushed. The message names the file, host or reference, and repeats no secret. */
export class OciError extends Error {
  override readonly name: string = 'OciError';
}

/** A reference or tag that is not written as the specification has it. The message ends with what was found. */
export class InvalidReference extends OciError {
  override readonly name = 'InvalidReference';
}

/** The registry refused; the message has its own code and words. */
export class RegistryError extends OciError {
  override readonly name = 'RegistryError';

  constructor(
    message: string,
    /** Of HTTP. */
    readonly status: number,
  ) {
    super(message);
  }
}

/** The registry wants other credentials than it was given, or any. */
export class Unauthorized extends OciError {
  override readonly name = 'Unauthorized';

  constructor(
    /** Without advice, which depends on who has credentials where. */
    readonly said: string,
    advice: string,
  ) {
    super(`${said}; ${advice}`);
  }
}

/** A failure that may pass: a lost connection, a registry that is busy or broken at the moment. */
export class Transient extends OciError {
  override readonly name: string = 'Transient';

  constructor(
    message: string,
    /** How long the registry asks to wait; null: it does not say. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }
}

/** No answer, or not a complete one. */
export class Unreachable extends Transient {
  override readonly name = 'Unreachable';
}

/** The other side answers, but not in TLS. */
export class PlainHttp extends OciError {
  override readonly name = 'PlainHttp';
}
