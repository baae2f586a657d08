import { adviceFor, type Failure } from '../api/failure.ts';

/** What happened and what to do about it. `shown`: paths of faults that stand beside their fields already. */
export function FailureNote({
  failure,
  onRetry,
  shown = [],
}: {
  failure: Failure | null;
  onRetry?: () => void;
  shown?: readonly string[];
}) {
  if (!failure) return null;
  const { problem, retryAfterSeconds } = failure;
  const faults = (problem.errors ?? []).filter(({ path }) => path !== '' && !shown.includes(path.split('/')[0]!));
  const areBeside = problem.errors !== undefined && problem.errors.length > 0 && faults.length === 0 && shown.length > 0;
  const isFirstTold = faults.length === 1 && problem.detail.includes(faults[0]!.message);
  return (
    <div class="note bad" role="alert">
      <p>
        <strong>{areBeside ? 'Nothing was changed: what is wrong stands beside the fields.' : problem.detail}</strong>
      </p>
      {faults.length > 0 && !isFirstTold && (
        <ul>
          {faults.slice(0, 20).map(({ path, message }) => (
            <li key={path}>
              <code>{path}</code> {message}
            </li>
          ))}
        </ul>
      )}
      <p>
        {areBeside ? 'Correct it, then send it again.' : adviceFor(failure)}
        {retryAfterSeconds !== null && ` The service asks to wait ${retryAfterSeconds} s.`}
        {problem.request_id && (failure.status >= 500 || failure.status === 0) && (
          <>
            {' '}
            Request <code>{problem.request_id}</code>.
          </>
        )}
      </p>
      {onRetry && (
        <button type="button" class="small" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
