/** What the compiler's runtime gives to guest sources and its own types leave out. */
declare function __collect(): void;
