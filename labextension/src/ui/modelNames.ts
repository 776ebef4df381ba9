/** Model references as people read them. Pure. */

/** A model reference without its provider. */
export function shortName(ref: string): string {
  return ref.slice(ref.indexOf("/") + 1);
}

/** The provider of a model reference. */
export function providerOf(ref: string): string {
  return ref.slice(0, Math.max(0, ref.indexOf("/")));
}
