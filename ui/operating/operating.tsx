import { useMemo, useState } from 'preact/hooks';
import { FailureNote } from '../parts/failure-note.tsx';
import { segmentsAlone, useLive } from '../parts/live.ts';
import { useEvery, useLoaded } from '../parts/loading.ts';
import { Plot, type Series } from '../parts/plot.tsx';
import { useClient } from '../parts/session.ts';
import { bytesWords, numberWords, shortNumber } from '../parts/words.ts';
import { parseMetrics } from './metrics.ts';
import { Readiness } from './readiness.tsx';
import { RunningImports } from './running-imports.tsx';
import { quantile, rate, type Sample, sampleOf } from './samples.ts';

const everyMs = 2_000;
/** Ten minutes. */
const most = 300;

/** How the process that answers is doing, since the screen was opened. */
export function Operating() {
  const client = useClient();
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  const { failure, reload } = useLoaded(async (signal) => {
    const text = await (await client.ask('GET', 'metrics', { signal })).text();
    setSamples((before) => [...before, sampleOf(parseMetrics(text), Date.now())].slice(-most));
  }, []);
  useEvery(everyMs, reload);
  useLive(segmentsAlone, () => {}); // says whether the service can be reached
  const lines = useMemo(() => linesOf(samples), [samples]);
  const last = samples.at(-1);
  return (
    <>
      <div class="head">
        <div>
          <h1>Operating</h1>
          <p class="quiet">The process that answers this page, every two seconds since the screen was opened.</p>
        </div>
        <Readiness />
      </div>
      <FailureNote failure={failure} onRetry={reload} />
      <dl class="tiles">
        <Tile name="Memory is older than the database by" value={last && secondsWords(last.ageSeconds)} />
        <Tile name="Users in memory" value={last?.users === undefined ? undefined : numberWords(last.users)} />
        <Tile name="Their memberships take" value={last?.bytes === undefined ? undefined : bytesWords(last.bytes)} />
        <Tile name="Requests under way" value={last?.underWay === undefined ? undefined : numberWords(last.underWay)} />
        <Tile name="Streams open" value={last?.streams === undefined ? undefined : numberWords(last.streams)} />
      </dl>
      <div class="plots">
        {plots.map(({ title, note, words, series }) => (
          <section key={title} class="card">
            <header>
              <h2>{title}</h2>
              <p class="hint">
                {series.map(({ label, colour, line, dash }) => (
                  <span key={label} class="key">
                    <span class={`key-line ${colour} ${dash ? 'dashed' : ''}`} aria-hidden="true" />
                    {label} <strong>{lastWords(lines[line], words)}</strong>
                  </span>
                ))}
              </p>
            </header>
            <Plot
              label={`${title}: ${series.map(({ label, line }) => `${label} ${lastWords(lines[line], words)}`).join(', ')}`}
              x={lines.x}
              series={series.map(({ label, colour, line, dash }) => ({ label, colour, dash, values: lines[line] }))}
              height={150}
              words={words}
            />
            {note && <p class="hint">{note}</p>}
          </section>
        ))}
      </div>
      <RunningImports />
    </>
  );
}

const Tile = ({ name, value }: { name: string; value: string | undefined }) => (
  <div>
    <dt>{name}</dt>
    <dd>{value ?? '–'}</dd>
  </div>
);

type Line = Exclude<keyof ReturnType<typeof linesOf>, 'x'>;

interface PlotOf {
  title: string;
  note?: string;
  words: (value: number) => string;
  series: (Pick<Series, 'label' | 'colour' | 'dash'> & { line: Line })[];
}

const secondsWords = (seconds: number | undefined): string =>
  seconds === undefined
    ? 'no memory'
    : !Number.isFinite(seconds)
      ? 'loading'
      : seconds < 1
        ? `${Math.round(seconds * 1000)} ms`
        : `${seconds.toFixed(1)} s`;
const rateWords = (value: number): string => (value < 10 ? String(Number(value.toFixed(1))) : shortNumber(Math.round(value)));
const msWords = (ms: number): string => (ms < 10 ? `${Number(ms.toFixed(2))} ms` : `${Math.round(ms)} ms`);

const plots: PlotOf[] = [
  {
    title: 'Requests a second',
    words: rateWords,
    series: [{ label: 'answered', colour: 'request', line: 'answered' }],
  },
  {
    title: 'Latency',
    words: msWords,
    series: [
      { label: 'half within', colour: 'import', line: 'median' },
      { label: '99 % within', colour: 'ttl', line: 'slowest', dash: [6, 4] },
    ],
  },
  {
    title: 'Errors a second',
    words: rateWords,
    series: [
      { label: 'refused (4xx)', colour: 'ttl', line: 'refused', dash: [6, 4] },
      { label: 'failed (5xx)', colour: 'deleted', line: 'failed' },
    ],
  },
  {
    title: 'Age of the memory',
    words: (value) => secondsWords(value),
    series: [{ label: 'older than the database by', colour: 'rollout', line: 'age' }],
  },
  {
    title: 'Memory of the process',
    words: bytesWords,
    series: [
      { label: 'all', colour: 'request', line: 'resident' },
      { label: 'memberships', colour: 'import', line: 'bytes', dash: [6, 4] },
    ],
  },
  {
    title: 'Processor',
    words: (value) => `${Math.round(value)} %`,
    series: [{ label: 'of one core', colour: 'import', line: 'cpu' }],
  },
];

/** A point for each reading but the first: most are told by the difference of two. */
function linesOf(samples: readonly Sample[]) {
  const pairs = samples.slice(1).map((after, i) => [samples[i]!, after] as const);
  const of = (value: (before: Sample, after: Sample) => number | null | undefined): (number | null)[] =>
    pairs.map(([before, after]) => {
      const found = value(before, after);
      return found === undefined || found === null || !Number.isFinite(found) ? null : found;
    });
  const all = ({ answered }: Sample) => Object.values(answered).reduce((sum, count) => sum + count, 0);
  const inMs = (seconds: number | null) => seconds && seconds * 1000;
  return {
    x: pairs.map(([, after]) => after.at / 1000),
    answered: of((before, after) => rate(before, after, all)),
    refused: of((before, after) => rate(before, after, ({ answered }) => answered[4] ?? 0)),
    failed: of((before, after) => rate(before, after, ({ answered }) => answered[5] ?? 0)),
    median: of((before, after) => inMs(quantile(before, after, 0.5))),
    slowest: of((before, after) => inMs(quantile(before, after, 0.99))),
    age: of((_, after) => after.ageSeconds),
    resident: of((_, after) => after.residentBytes),
    bytes: of((_, after) => after.bytes),
    cpu: of((before, after) => (rate(before, after, ({ cpuSeconds }) => cpuSeconds) ?? 0) * 100),
  };
}

function lastWords(line: readonly (number | null)[], words: (value: number) => string): string {
  const last = line.at(-1);
  return last === null || last === undefined ? '–' : words(last);
}
