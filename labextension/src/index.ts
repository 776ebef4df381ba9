/** BestChat's plugins for JupyterLab and Notebook. */

import { chat } from "./plugins/chat.js";
import { errors } from "./plugins/errors.js";
import { insertion } from "./plugins/insertion.js";
import { notebook } from "./plugins/notebook.js";
import {
  codeActions,
  contextSources,
  mentionSources,
  slashCommands,
} from "./plugins/registries.js";
import { tour } from "./plugins/tour.js";

export * from "./tokens.js";

export default [
  codeActions,
  contextSources,
  mentionSources,
  slashCommands,
  chat,
  notebook,
  errors,
  insertion,
  tour,
];
