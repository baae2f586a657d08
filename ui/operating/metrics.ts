/** Figures in Prometheus's text exposition format 0.0.4, as far as this page needs it. */

export interface Figure {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type Figures = ReadonlyMap<string, readonly Figure[]>;

export function parseMetrics(text: string): Figures {
  const figures = new Map<string, Figure[]>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name, inner = '', value] = /^([\w:]+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    if (!name || value === undefined) continue;
    const labels = Object.fromEntries([...inner.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, text]) => [label, text]));
    const known = figures.get(name);
    const figure = { labels, value: numberOf(value) };
    if (known) known.push(figure);
    else figures.set(name, [figure]);
  }
  return figures;
}

const numberOf = (text: string): number => (/^\+?Inf$/i.test(text) ? Infinity : Number(text));

/** The only figure of that name, or undefined. */
export const one = (figures: Figures, name: string): number | undefined => figures.get(name)?.[0]?.value;
