/** Stands in for `@jupyterlab/rendermime` in the widget, which carries all it needs with it. */

export class MimeModel {
  readonly data: Readonly<Record<string, unknown>>;

  constructor({ data }: { data: Readonly<Record<string, unknown>> }) {
    this.data = data;
  }
}
