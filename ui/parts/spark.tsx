/** A small curve. It says its first and last value to who does not see it. */
export function Spark({ values, label }: { values: readonly number[]; label: string }) {
  const [width, height] = [120, 32];
  const most = Math.max(1, ...values);
  const points = values.map((value, i) => [
    (i / Math.max(1, values.length - 1)) * (width - 4) + 2,
    height - 3 - (value / most) * (height - 6),
  ]);
  const line = points.map(([x, y]) => `${x!.toFixed(1)},${y!.toFixed(1)}`).join(' ');
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label} preserveAspectRatio="none">
      <polygon points={`2,${height} ${line} ${width - 2},${height}`} />
      <polyline points={line} />
    </svg>
  );
}
