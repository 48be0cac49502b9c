/** What a page is made of, before it is Markdown or HTML. All text is plain; whoever writes it out escapes it. */

/** A point of a chart; null where nothing was measured. */
export interface PlotPoint {
  readonly label: string;
  readonly value: number | null;
  /** Ends of the band or interval. */
  readonly low?: number | null;
  readonly high?: number | null;
}

export interface Plot {
  readonly kind: "line" | "bars";
  readonly title: string;
  /** What it shows, for those who do not see it. */
  readonly description: string;
  readonly points: readonly PlotPoint[];
  /** Names of value, low and high in the table behind it. */
  readonly columns: readonly string[];
  readonly format: (value: number) => string;
}

export type Block =
  | { readonly kind: "heading"; readonly text: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly { readonly text: string; readonly note?: string }[] }
  | {
      readonly kind: "table";
      readonly caption: string;
      readonly head: readonly string[];
      readonly rows: readonly (readonly string[])[];
    }
  | { readonly kind: "plot"; readonly plot: Plot };

export interface Page {
  readonly title: string;
  readonly lead: string;
  readonly blocks: readonly Block[];
}
