/** Stands in for Lumino's widgets: nobody has to be told that something is part of the page. */

export const MessageLoop = { sendMessage: (): void => undefined };

export const Widget = { Msg: { AfterAttach: null, AfterDetach: null } };
