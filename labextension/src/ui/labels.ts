/** What a conversation is labelled with, as it fits into a line. */

/** Notebooks label their conversations with their whole path: its end is what tells them apart. */
export function shortLabel(label: string): string {
  const isPath = /^(\/|[A-Za-z]:\\)|\.ipynb$/.test(label);
  return isPath ? label.slice(Math.max(label.lastIndexOf("/"), label.lastIndexOf("\\")) + 1) : label;
}
