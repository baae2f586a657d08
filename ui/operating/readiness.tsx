import { useEvery, useLoaded } from '../parts/loading.ts';
import { useClient } from '../parts/session.ts';
import { Failure } from '../api/failure.ts';

/** Whether reads and writes would be answered. */
export function Readiness() {
  const client = useClient();
  const { value, failure, reload } = useLoaded((signal) => client.get<{ ready: boolean }>('readyz', {}, signal), []);
  useEvery(5_000, reload);
  const reasons = failure instanceof Failure ? (failure.problem as unknown as { not_ready?: string[] }).not_ready : undefined;
  return (
    <p role="status">
      {failure ? (
        <span class="tag bad">not ready{reasons ? `: ${reasons.join('; ')}` : ''}</span>
      ) : value ? (
        <span class="tag good">ready</span>
      ) : (
        <span class="tag">asking …</span>
      )}
    </p>
  );
}
