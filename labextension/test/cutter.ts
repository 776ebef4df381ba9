/** A proxy that cuts lines at random bytes, the same ones for the same seed. */

import net from "node:net";

/** Numbers from 0 to 1 that follow from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Cutter {
  /** Lines that were cut so far. */
  cuts = 0;
  readonly #server: net.Server;

  /** `most` bytes at most come through from the server before a line is cut, `cuts` times. */
  constructor(port: number, random: () => number, most: number, cuts: number) {
    this.#server = net.createServer((near) => {
      const far = net.connect(port, "127.0.0.1");
      let left = this.cuts < cuts ? Math.floor(random() * most) : Infinity;
      const end = (): void => {
        near.destroy();
        far.destroy();
      };
      far.on("data", (bytes: Buffer) => {
        near.write(bytes.subarray(0, left));
        left -= bytes.length;
        if (left <= 0) {
          this.cuts += 1;
          near.end();
          end();
        }
      });
      near.on("data", (bytes: Buffer) => far.write(bytes));
      for (const socket of [near, far]) {
        socket.on("error", end);
        socket.on("close", end);
      }
    });
  }

  async open(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  close(): void {
    this.#server.close();
  }
}
