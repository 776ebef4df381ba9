/** A block of code in an answer, with what can be done with it. */

import { memo, useEffect, useRef } from "react";

import { useServices } from "../services.js";
import { CodeToolbar } from "./CodeToolbar.js";

/** Characters of a growing block up to which it is coloured while it grows. */
const COLOURED = 4000;

interface Props {
  code: string;
  language: string;
  /** Whether more may come. */
  growing: boolean;
}

export const CodeBlock = memo(function CodeBlock({ code, language, growing }: Props) {
  const { languages, trans } = useServices();
  const host = useRef<HTMLElement>(null);

  useEffect(() => {
    const element = host.current;
    if (element === null) {
      return;
    }
    element.textContent = code;
    const found = language === "" ? null : languages.findBest(language, false);
    if (found === null || (growing && code.length > COLOURED)) {
      return;
    }
    const coloured = document.createElement("code");
    let current = true;
    void languages.highlight(code, found, coloured).then(() => {
      if (current) {
        element.replaceChildren(...Array.from(coloured.childNodes));
      }
    });
    return () => {
      current = false;
    };
  }, [code, language, growing, languages]);

  return (
    <figure className="jp-BestChat-code" aria-label={language || trans.__("Code")}>
      <figcaption className="jp-BestChat-codeHeader">
        <span className="jp-BestChat-codeLanguage">{language}</span>
        {!growing && <CodeToolbar code={code} language={language} />}
      </figcaption>
      <pre tabIndex={0}>
        <code ref={host} />
      </pre>
    </figure>
  );
});
