import { useEffect } from 'preact/hooks';

/** A file that is dropped beside what takes files does nothing: the browser would leave the page and open it. */
export function useNoStrayFiles(): void {
  useEffect(() => {
    const onDrag = (event: DragEvent) => {
      if (event.defaultPrevented || !event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = 'none';
    };
    for (const type of ['dragover', 'drop'] as const) document.addEventListener(type, onDrag);
    return () => {
      for (const type of ['dragover', 'drop'] as const) document.removeEventListener(type, onDrag);
    };
  }, []);
}
