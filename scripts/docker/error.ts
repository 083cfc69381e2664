/** docker, its engine or its network does not do what is needed. The message begins with `docker:` and has docker's own reason. */
export class DockerError extends Error {
  override readonly name = 'DockerError';
}
