import { useRef, useState, type DragEvent } from "react";

interface FileDrop {
  /** Whether files are held over it. */
  readonly over: boolean;
  readonly handlers: {
    onDragEnter: (event: DragEvent) => void;
    onDragOver: (event: DragEvent) => void;
    onDragLeave: (event: DragEvent) => void;
    onDrop: (event: DragEvent) => void;
  };
}

/** Lets files be dropped on something; whatever else is dragged passes by. */
export function useFileDrop(onFiles: (files: Iterable<File>) => void): FileDrop {
  // Each element inside is entered and left, too.
  const depth = useRef(0);
  const [over, setOver] = useState(false);
  const guarded = (action: (event: DragEvent) => void) => (event: DragEvent) => {
    if (event.dataTransfer.types.includes("Files")) {
      event.preventDefault();
      action(event);
    }
  };
  const move = (step: number): void => {
    depth.current = Math.max(0, depth.current + step);
    setOver(depth.current > 0);
  };
  return {
    over,
    handlers: {
      onDragEnter: guarded(() => {
        move(1);
      }),
      onDragOver: guarded(({ dataTransfer }) => {
        dataTransfer.dropEffect = "copy";
      }),
      onDragLeave: guarded(() => {
        move(-1);
      }),
      onDrop: guarded(({ dataTransfer }) => {
        move(-depth.current);
        onFiles(Array.from(dataTransfer.files));
      }),
    },
  };
}
