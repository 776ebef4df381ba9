import { Component, type ReactNode } from "react";

import { Notice } from "./Notice.js";
import { ServicesContext } from "./services.js";

interface Props {
  children: ReactNode;
}

/** Keeps what goes wrong in a part of the panel from taking everything else away. */
export class Boundary extends Component<Props, { error: Error | null }> {
  static override readonly contextType = ServicesContext;
  declare context: React.ContextType<typeof ServicesContext>;
  override readonly state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render() {
    const { error } = this.state;
    if (error === null) {
      return this.props.children;
    }
    const trans = this.context?.trans;
    return (
      <Notice
        kind="error"
        text={trans?.__("This cannot be shown: %1", error.message) ?? error.message}
        actions={[
          {
            label: trans?.__("Try again") ?? "Try again",
            run: () => {
              this.setState({ error: null });
            },
          },
        ]}
      />
    );
  }
}
