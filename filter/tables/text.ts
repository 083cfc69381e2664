import { View } from "../bytes/view";


@unmanaged
export class Text {
  value: View;
}

/** A name in the config and the index of its record, which is set once everything is read. */
@unmanaged
export class Reference {
  name: View;
  index: i32;
}
