import { useRef } from "react";

import { IconButton } from "./IconButton.js";
import { attachIcon } from "./icons.js";
import { useTrans } from "./services.js";

interface Props {
  onFiles: (files: Iterable<File>) => void;
}

/** Lets the user pick files. */
export function AttachButton({ onFiles }: Props) {
  const trans = useTrans();
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <IconButton
        icon={attachIcon}
        label={trans.__("Attach files")}
        onClick={() => input.current?.click()}
      />
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-hidden
        tabIndex={-1}
        onChange={({ target }) => {
          onFiles(Array.from(target.files ?? []));
          target.value = ""; // so that the same file can be picked again
        }}
      />
    </>
  );
}
