/** Values longer than this are cut where a fault quotes them. */
const maxQuoted = 60;

/** The value as JSON, cut to a length that fits a message; a long list or object by its size alone. */
export function quoted(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (value === undefined) return 'nothing';
  const text = typeof value === 'string' ? value : typeof value === 'number' ? String(value) : JSON.stringify(value);
  const characters = Array.from(text); // code points, as the limits count them
  const cut =
    characters.length > maxQuoted ? `${characters.slice(0, maxQuoted).join('')}… (${characters.length} characters)` : text;
  return typeof value === 'string' ? JSON.stringify(cut) : cut;
}
