import { useCallback } from "react";

import { commandIn } from "../conversation/mentions.js";
import { useServices } from "./services.js";

/** Does what a message says that is a command; says whether it was one. */
export function useSlashCommand(): (text: string) => boolean {
  const { manager, slashCommands } = useServices();
  return useCallback(
    (text) => {
      const asked = commandIn(text);
      const command = slashCommands.commands.find(({ name }) => name === asked?.name);
      if (asked === null || command === undefined || command.enabled?.() === false) {
        return false; // it may be a path, or mathematics: whoever answers sees what it is
      }
      void manager.attempt(async () => {
        await command.run(asked.argument);
      });
      return true;
    },
    [manager, slashCommands],
  );
}
