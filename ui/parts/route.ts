import { useEffect, useState } from 'preact/hooks';

/**
 * Where one is: the parts of `#/segments/SLUG`. Behind the `#`, so that ids of users are in no request and no log of a proxy,
 * and the service needs to know of one address alone.
 */
export function useRoute(): string[] {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const onChange = () => setHash(location.hash);
    addEventListener('hashchange', onChange);
    return () => removeEventListener('hashchange', onChange);
  }, []);
  return hash.replace(/^#\/?/, '').split('/').filter(Boolean).map(decoded);
}

export const hrefTo = (...parts: string[]): string => `#/${parts.map(encodeURIComponent).join('/')}`;
export const goTo = (...parts: string[]): void => void (location.hash = hrefTo(...parts));

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
