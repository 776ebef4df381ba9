import { forwardRef, useImperativeHandle, useLayoutEffect, useRef, type ClipboardEvent } from "react";

const MOST_PIXELS = 240;

interface Props {
  label: string;
  value: string;
  placeholder?: string;
  onChange: (value: string, caret: number) => void;
  /** Enter was pressed, without Shift and not to finish composing a character. */
  onEnter: () => void;
  onEscape?: () => void;
  /** Any other key; true says that it was used. */
  onKey?: (key: string, area: HTMLTextAreaElement) => boolean;
  onBlur?: () => void;
  onPaste?: (event: ClipboardEvent<HTMLTextAreaElement>) => void;
  /** Id of the list that completes what is typed, while it is open. */
  listId?: string | undefined;
  activeOptionId?: string | undefined;
}

/** A field for text of several lines that is as high as its text, up to a limit. */
export const GrowingTextarea = forwardRef<HTMLTextAreaElement, Props>(
  function GrowingTextarea(props, forwarded) {
    const area = useRef<HTMLTextAreaElement>(null);
    useImperativeHandle<HTMLTextAreaElement | null, HTMLTextAreaElement | null>(
      forwarded,
      () => area.current,
    );
    useLayoutEffect(() => {
      const element = area.current;
      if (element !== null) {
        element.style.height = "auto";
        element.style.height = `${String(Math.min(element.scrollHeight, MOST_PIXELS))}px`;
      }
    }, [props.value]);

    return (
      <textarea
        ref={area}
        className="jp-BestChat-textarea"
        rows={1}
        aria-label={props.label}
        placeholder={props.placeholder}
        value={props.value}
        spellCheck={false}
        role={props.listId === undefined ? undefined : "combobox"}
        aria-expanded={props.listId === undefined ? undefined : true}
        aria-controls={props.listId}
        aria-activedescendant={props.activeOptionId}
        aria-autocomplete={props.listId === undefined ? undefined : "list"}
        onBlur={props.onBlur}
        onPaste={props.onPaste}
        onChange={(event) => {
          props.onChange(event.target.value, event.target.selectionStart);
        }}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) {
            return;
          }
          if (props.onKey?.(event.key, event.currentTarget) === true) {
            event.preventDefault();
          } else if (event.key === "Enter" && !event.shiftKey) {
            event.preventDefault();
            props.onEnter();
          } else if (event.key === "Escape") {
            props.onEscape?.();
          }
        }}
      />
    );
  },
);
