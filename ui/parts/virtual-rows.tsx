import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

interface VirtualRowsProps {
  count: number;
  /** All are of one height. */
  rowHeight: number;
  label: string;
  row: (index: number) => ComponentChildren;
  /** The end of what there is has come into sight. */
  onEnd?: () => void;
  class?: string;
  /** The rows are of cells, with these heads. */
  isTable?: boolean;
  head?: readonly string[];
}

const spare = 6;

/** A list of which only what is in sight is in the document, however long it is. The arrow keys scroll it. */
export function VirtualRows({
  count,
  rowHeight,
  label,
  row,
  onEnd,
  class: className = '',
  isTable = false,
  head = [],
}: VirtualRowsProps) {
  const box = useRef<HTMLDivElement>(null);
  const [[from, to], setWindow] = useState<[number, number]>([0, 40]);
  const look = () => {
    const { scrollTop, clientHeight } = box.current!;
    const first = Math.max(0, Math.floor(scrollTop / rowHeight) - spare);
    const last = Math.ceil((scrollTop + clientHeight) / rowHeight) + spare;
    setWindow((before) => (before[0] === first && before[1] === last ? before : [first, last]));
  };
  useEffect(look, [count, rowHeight]);
  const isAtEnd = to >= count;
  useEffect(() => {
    if (isAtEnd) onEnd?.();
  }, [isAtEnd, count]);
  const shown = Array.from({ length: Math.max(0, Math.min(to, count) - from) }, (_, i) => from + i);
  const height = (rows: number) => ({ height: `${rows * rowHeight}px` });
  const place = (index: number) => ({ ...height(1), transform: `translateY(${index * rowHeight}px)` });
  if (!isTable) {
    return (
      <div ref={box} class={`virtual ${className}`} tabIndex={0} role="region" aria-label={label} onScroll={look}>
        <div role="list" style={height(count)}>
          {shown.map((index) => (
            <div key={index} role="listitem" aria-setsize={count} aria-posinset={index + 1} style={place(index)}>
              {row(index)}
            </div>
          ))}
        </div>
      </div>
    );
  }
  return (
    <div ref={box} class={`virtual ${className}`} tabIndex={0} role="region" aria-label={label} onScroll={look}>
      <div role="table" aria-label={label} aria-rowcount={count + 1}>
        <div role="row" class="heads" aria-rowindex={1}>
          {head.map((name) => (
            <span key={name} role="columnheader">
              {name}
            </span>
          ))}
        </div>
        <div role="rowgroup" class="rows" style={height(count)}>
          {shown.map((index) => (
            <div key={index} role="row" aria-rowindex={index + 2} style={place(index)}>
              {row(index)}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}
