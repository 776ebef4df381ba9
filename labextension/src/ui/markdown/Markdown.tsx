/** What a model says: block by block, so that only the last one is rendered again while it grows. */

import { memo, useMemo } from "react";

import { splitBlocks, type Block } from "./blocks.js";
import { CodeBlock } from "./CodeBlock.js";
import { Prose } from "./Prose.js";

/**
 * In a diagram, what may load something from elsewhere while it is drawn, or look like the page. Where
 * YAML or CSS is read, by `@{`, a line of dashes or a backslash, any word can be written otherwise.
 */
const DOUBTFUL_DIAGRAM =
  /\/\/|\\|@\{|^[^\S\n]*-{3,}[^\S\n]*$|%%\{|<|\burl\s*\(|\bimg\b|\bclick\b|@import|\bicon\b/im;

interface Props {
  source: string;
  /** Whether more may come. */
  growing?: boolean;
}

export const Markdown = memo(function Markdown({ source, growing = false }: Props) {
  const blocks = useMemo(() => splitBlocks(source), [source]);
  return (
    <div className="jp-BestChat-markdown">
      {blocks.map((block, index) =>
        isDiagram(block) ? (
          <Prose key={index} source={`\`\`\`mermaid\n${block.text}\n\`\`\``} />
        ) : block.kind === "code" ? (
          <CodeBlock
            key={index}
            code={block.text}
            language={block.language}
            growing={growing && index === blocks.length - 1}
          />
        ) : (
          <Prose key={index} source={block.text} />
        ),
      )}
    </div>
  );
});

function isDiagram({ kind, text, language, closed }: Block): boolean {
  return kind === "code" && closed && language === "mermaid" && !DOUBTFUL_DIAGRAM.test(text);
}
