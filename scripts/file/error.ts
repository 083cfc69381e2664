/** A file of the user's cannot be put in its place. The message begins with the file's name; whatever failed, the file is as it was. */
export class FileError extends Error {
  override readonly name: string = 'FileError';
}

/** Why a file cannot be read, in words: the part of a message after its name. `code`: the system's word, if it has one. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';

  constructor(
    message: string,
    readonly code: string | null = null,
  ) {
    super(message);
  }
}
