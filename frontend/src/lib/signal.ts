/** Tells React that something outside it has changed: `watch` is what useSyncExternalStore subscribes with. */
export function signal() {
  const watchers = new Set<() => void>();
  return {
    watch: (watcher: () => void) => {
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    },
    notify: () => watchers.forEach((watcher) => watcher()),
  };
}
