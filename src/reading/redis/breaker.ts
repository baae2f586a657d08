/**
 * Says whether something that may be down is to be asked. After a failure nobody asks for a while; then one does, and the
 * rest wait for what that one finds. So of many callers one a pause pays for what is down.
 */
export function breaker({ pauseMs, now }: { pauseMs: number; now: () => number }) {
  let isFailing = false;
  let closedUntil = 0;
  return {
    mayAsk(): boolean {
      if (!isFailing) return true;
      const at = now();
      if (at < closedUntil) return false;
      closedUntil = at + pauseMs;
      return true;
    },
    /** Whether it is news. */
    failed(): boolean {
      closedUntil = now() + pauseMs;
      const isNews = !isFailing;
      isFailing = true;
      return isNews;
    },
    /** Whether it is news. */
    succeeded(): boolean {
      const isNews = isFailing;
      isFailing = false;
      return isNews;
    },
  };
}
