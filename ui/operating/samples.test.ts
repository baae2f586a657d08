import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMetrics } from './metrics.ts';
import { quantile, rate, sampleOf } from './samples.ts';

const text = (quick: number, slow: number, failed: number) => `# HELP segmentd_http_request_duration_seconds Time
# TYPE segmentd_http_request_duration_seconds histogram
segmentd_http_request_duration_seconds_bucket{le="0.001",method="GET",route="/v1/segments",status="200"} ${quick}
segmentd_http_request_duration_seconds_bucket{le="0.01",method="GET",route="/v1/segments",status="200"} ${quick + slow}
segmentd_http_request_duration_seconds_bucket{le="+Inf",method="GET",route="/v1/segments",status="200"} ${quick + slow}
segmentd_http_request_duration_seconds_count{method="GET",route="/v1/segments",status="200"} ${quick + slow}
segmentd_http_request_duration_seconds_count{method="GET",route="/v1/users/:user_id/segments",status="503"} ${failed}
segmentd_http_request_duration_seconds_count{method="GET",route="/metrics",status="200"} 9000
segmentd_snapshot_age_seconds +Inf
segmentd_snapshot_users 1.2e+3
odd{text="a \\"quote\\", a comma"} 1
`;
const sample = (at: number, quick: number, slow: number, failed: number) => sampleOf(parseMetrics(text(quick, slow, failed)), at);

test('reads names, labels and numbers, those that are infinite too', () => {
  const { ageSeconds, users, bytes } = sample(0, 1, 0, 0);
  assert.deepEqual([ageSeconds, users, bytes], [Infinity, 1200, undefined]);
  assert.deepEqual(parseMetrics(text(1, 0, 0)).get('odd')![0]!.labels, { text: 'a \\"quote\\", a comma' });
});

test('tells requests a second by how they were answered, without those of this page', () => {
  const [before, after] = [sample(0, 10, 0, 1), sample(2_000, 30, 10, 5)];
  assert.equal(
    rate(before, after, ({ answered }) => answered[2]),
    15,
  );
  assert.equal(
    rate(before, after, ({ answered }) => answered[5]),
    2,
  );
  assert.equal(
    rate(after, before, ({ answered }) => answered[2]),
    null,
  );
});

test('tells a rate of nothing where another process answered', () => {
  assert.equal(
    rate(sample(0, 100, 0, 0), sample(1000, 5, 0, 0), ({ answered }) => answered[2]),
    null,
  );
});

test('tells a quantile as Prometheus does', () => {
  const [before, after] = [sample(0, 10, 0, 0), sample(1000, 100, 10, 0)];
  assert.equal(quantile(before, after, 0.45), 0.0005);
  assert.equal(quantile(before, after, 0.95)!.toFixed(5), '0.00550');
  assert.equal(quantile(after, after, 0.5), null);
  assert.equal(quantile(after, before, 0.5), null);
});
