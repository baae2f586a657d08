import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What the kernel tells of a process (Linux): memory in bytes, open handles and how many of them are sockets. */
export function figuresOf(pid: number): { rss: number; handles: number; sockets: number } {
  const rss = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
  const handles = readdirSync(`/proc/${pid}/fd`);
  const sockets = handles.filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:');
    } catch {
      return false; // closed meanwhile
    }
  });
  return { rss, handles: handles.length, sockets: sockets.length };
}
