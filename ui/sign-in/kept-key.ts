const name = 'segmentd.key';

/** The key of this tab: it ends with the tab, and no other one sees it but a duplicate, which gets a copy. A browser may forbid even that. */
export function keptKey(): string | null {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

export function keepKey(key: string): void {
  try {
    sessionStorage.setItem(name, key);
  } catch {
    // Then a reload asks for it again.
  }
}

export function forgetKey(): void {
  try {
    sessionStorage.removeItem(name);
  } catch {
    // Nothing was kept.
  }
}
