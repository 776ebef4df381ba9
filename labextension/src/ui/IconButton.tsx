import type { LabIcon } from "@jupyterlab/ui-components";
import { forwardRef } from "react";

interface Props {
  icon: LabIcon;
  /** What it does: its name for those who do not see it, and its title. */
  label: string;
  onClick: () => void;
  className?: string;
  disabled?: boolean;
  pressed?: boolean;
  expanded?: boolean;
}

/** A small button that is only an icon. */
export const IconButton = forwardRef<HTMLButtonElement, Props>(function IconButton(props, ref) {
  const { icon: Icon, label, onClick, className = "", disabled, pressed, expanded } = props;
  return (
    <button
      ref={ref}
      type="button"
      className={`jp-BestChat-iconButton ${className}`}
      title={label}
      aria-label={label}
      aria-pressed={pressed}
      aria-expanded={expanded}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon.react tag="span" width="16px" height="16px" />
    </button>
  );
});
