/** The difference between two texts, line by line. Pure. */

export interface DiffLine {
  kind: "same" | "removed" | "added";
  text: string;
}

/** The shortest way from one text to another: what is the same stays in place. */
export function diffLines(before: string, after: string): DiffLine[] {
  const [old, made] = [before.split("\n"), after.split("\n")];
  const lengths = commonLengths(old, made);
  const common = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < made.length) {
    const [left, right] = [old[i], made[j]];
    if (left !== undefined && left === right) {
      lines.push({ kind: "same", text: left });
      [i, j] = [i + 1, j + 1];
    } else if (left !== undefined && (right === undefined || common(i + 1, j) >= common(i, j + 1))) {
      lines.push({ kind: "removed", text: left });
      i += 1;
    } else {
      lines.push({ kind: "added", text: right ?? "" });
      j += 1;
    }
  }
  return lines;
}

/** How many lines the rests from each pair of places on have in common. */
function commonLengths(old: readonly string[], made: readonly string[]): number[][] {
  const lengths = Array.from({ length: old.length + 1 }, () =>
    new Array<number>(made.length + 1).fill(0),
  );
  for (let i = old.length - 1; i >= 0; i -= 1) {
    const [row, below] = [lengths[i], lengths[i + 1]];
    for (let j = made.length - 1; row !== undefined && j >= 0; j -= 1) {
      row[j] =
        old[i] === made[j]
          ? (below?.[j + 1] ?? 0) + 1
          : Math.max(below?.[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return lengths;
}
