/** Let the browser save something under a name. */
export function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads it after the click; by then it has begun.
  setTimeout(() => {
    URL.revokeObjectURL(address);
  }, 10_000);
}
