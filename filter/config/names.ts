import { NameIndex } from "../tables/nameIndex";

/** Names that a config has defined so far, for finding duplicates and resolving references. */
export class Names {
  readonly apis: NameIndex = new NameIndex();
  readonly plans: NameIndex = new NameIndex();
  readonly consumers: NameIndex = new NameIndex();

  free(): void {
    this.apis.free();
    this.plans.free();
    this.consumers.free();
  }
}
