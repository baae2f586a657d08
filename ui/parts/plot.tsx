import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

export interface Series {
  label: string;
  /** The name of a colour of `base.css`. */
  colour: string;
  /** By x; null where nothing is known. */
  values: (number | null)[];
  dash?: number[];
}

interface PlotProps {
  label: string;
  /** In seconds. */
  x: number[];
  series: Series[];
  height: number;
  words: (value: number) => string;
  isFilled?: boolean;
  isStepped?: boolean;
}

/** A plot over time. What it shows is also said in words by whoever uses it: a canvas says nothing to a screen reader. */
export function Plot({ label, x, series, height, words, isFilled = false, isStepped = false }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = [x, ...series.map(({ values }) => values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  const shape = series.map(({ label, colour }) => `${label} ${colour}`).join();

  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const draw = () => {
      plot.current?.destroy();
      const options = optionsOf({ series, height, words, isFilled, isStepped }, element.clientWidth);
      plot.current = new uPlot(options, latest.current, element);
    };
    draw();
    const sized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    sized.observe(element);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', draw);
    return () => {
      dark.removeEventListener('change', draw);
      sized.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, height]);
  useEffect(() => plot.current?.setData(data), [x, ...series.map(({ values }) => values)]);
  return <div class="plot" ref={box} role="img" aria-label={label} style={{ minHeight: `${height}px` }} />;
}

const colourOf = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function optionsOf({ series, height, words, isFilled, isStepped }: Omit<PlotProps, 'label' | 'x'>, width: number): uPlot.Options {
  const [muted, line] = [colourOf('muted'), colourOf('line')];
  const axis = {
    stroke: muted,
    font: '12px system-ui, sans-serif',
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height,
    padding: [12, 8, 0, 0],
    legend: { show: false },
    cursor: { points: { size: 7 }, y: false },
    scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.08 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, size: 30, space: 70, values: timeWords },
      { ...axis, size: 56, space: 32, values: (_plot, values) => values.map((value) => (value === null ? '' : words(value))) },
    ],
    hooks: { setCursor: [showAtCursor(words, series)] },
    series: [
      {},
      ...series.map(({ label, colour, dash }) => ({
        label,
        stroke: colourOf(colour),
        width: 2,
        points: { show: false },
        ...(dash && { dash }),
        ...(isFilled && { fill: `${colourOf(colour)}22` }),
        ...(isStepped && { paths: uPlot.paths.stepped!({ align: 1 }) }),
      })),
    ],
  };
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const clockExact = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const dayExact = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

function timeWords(_plot: uPlot, values: number[]): string[] {
  const step = values.length > 1 ? values[1]! - values[0]! : 0;
  return values.map((value) => (step >= 86_400 ? day : step >= 60 ? clock : clockExact).format(value * 1000));
}

/** Says in the corner of the plot what is under the cursor. */
function showAtCursor(words: (value: number) => string, series: Series[]) {
  let told: HTMLElement | undefined;
  return (plot: uPlot) => {
    if (!told) {
      told = document.createElement('div');
      told.className = 'at-cursor';
      plot.over.append(told);
    }
    const at = plot.cursor.idx;
    told.hidden = typeof at !== 'number';
    if (typeof at !== 'number') return;
    const said = series.map(({ label }, i) => {
      const value = plot.data[i + 1]![at];
      return `${series.length > 1 ? `${label} ` : ''}${value === null || value === undefined ? '–' : words(value)}`;
    });
    told.textContent = `${dayExact.format(plot.data[0][at]! * 1000)} · ${said.join(' · ')}`;
  };
}
