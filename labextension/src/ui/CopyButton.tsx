import { checkIcon, type LabIcon } from "@jupyterlab/ui-components";
import { useEffect, useState } from "react";

import { IconButton } from "./IconButton.js";
import { useTrans } from "./services.js";

const TOLD_MILLISECONDS = 1500;

interface Props {
  text: string;
  icon: LabIcon;
  label: string;
}

/** Puts a text on the clipboard, and says so for a moment. */
export function CopyButton({ text, icon, label }: Props) {
  const trans = useTrans();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) {
      return;
    }
    const timer = setTimeout(() => {
      setCopied(false);
    }, TOLD_MILLISECONDS);
    return () => {
      clearTimeout(timer);
    };
  }, [copied]);
  return (
    <IconButton
      icon={copied ? checkIcon : icon}
      label={copied ? trans.__("Copied") : label}
      onClick={() => {
        void copy(text).then(() => {
          setCopied(true);
        });
      }}
    />
  );
}

/** Browsers give the clipboard to secure pages only; a hub behind plain HTTP is none. */
async function copy(text: string): Promise<void> {
  if (window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "jp-BestChat-offscreen";
  document.body.append(area);
  area.select();
  document.execCommand("copy"); // eslint-disable-line @typescript-eslint/no-deprecated -- the only way there
  area.remove();
}
