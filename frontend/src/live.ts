/** The live stream of a project: one connection that reconnects and resumes where it was. */
import { client, live, type LiveItem } from '@nimbus-analytics/sdk';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { queryClient } from './api';

export type StreamState = 'connecting' | 'open' | 'reconnecting' | 'ended';

export interface Stream {
  state: StreamState;
  /** Why it ended for good, when it did. */
  error: unknown;
  retry: () => void;
}

export function useStream(projectId: string, onItem: (item: LiveItem) => void, names: string[] = []): Stream {
  const [state, setState] = useState<StreamState>('connecting');
  const [error, setError] = useState<unknown>();
  const [attempt, setAttempt] = useState(0);
  const deliver = useEffectEvent(onItem);
  const wanted = JSON.stringify(names);

  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    let tried = false;
    const onState = (now: 'connecting' | 'open' | 'waiting') => {
      if (signal.aborted) return;
      tried ||= now !== 'connecting';
      setState(now === 'open' ? 'open' : tried ? 'reconnecting' : 'connecting');
    };
    void (async () => {
      try {
        for await (const item of live({ client, projectId, names: JSON.parse(wanted) as string[], signal, onState })) {
          if (!signal.aborted) deliver(item);
        }
      } catch (thrown) {
        if (signal.aborted) return;
        setState('ended');
        setError(thrown);
        // The list of projects tells an ended session from a deleted project, and the page follows it.
        void queryClient.invalidateQueries({ queryKey: [{ _id: 'listProjects' }] });
      }
    })();
    return () => stop.abort();
  }, [projectId, wanted, attempt]);

  return { state, error, retry: () => setAttempt((n) => n + 1) };
}

/** Calls `run` after events were stored, at most once per `every` milliseconds. */
export function useWhenStored(projectId: string, run: () => void, every: number): Stream {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const stream = useStream(projectId, () => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      run();
    }, every);
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  return stream;
}
