import { Link, type ErrorComponentProps, useRouter } from '@tanstack/react-router';
import { IconCompass, IconWifiOff } from '@tabler/icons-react';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { connection, isUnreachable, readiness, useAway } from '../api';
import { useTitle } from '../hooks';
import { m } from '../messages';
import { Button, Empty, Failure, Skeleton } from '../ui';

export function NotFound() {
  useTitle(m.error.notFound);
  return (
    <Empty icon={IconCompass} heading="h1" title={m.error.notFound}>
      <p>{m.error.notFoundHelp}</p>
      <Link className="button primary" to="/">{m.error.home}</Link>
    </Empty>
  );
}

/** A page whose file could not be loaded: the server is away, or it has a new build in which the file has another name. */
export class PageNotLoaded extends Error {
  constructor(cause: unknown) {
    super('The page could not be loaded.', { cause });
  }
}

/** Shown instead of a page that failed to load or threw. After an outage it tries again by itself. */
export function PageFailure({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const unloaded = error instanceof PageNotLoaded;
  const [isThere, setIsThere] = useState(false);
  const away = useAway();
  const retry = () => {
    // A file that could not be loaded is not asked for again; the state is in the address, so nothing is lost.
    if (unloaded) return location.reload();
    reset();
    void router.invalidate();
  };
  useEffect(() => {
    if (isUnreachable(error)) connection.set(true);
    else if (unloaded) readiness().then(() => setIsThere(true), () => connection.set(true));
  }, [error, unloaded]);
  useBack(retry);
  if (unloaded && !away)
    return isThere ? (
      <Empty icon={IconCompass} heading="h1" title={m.error.version}>
        <Button kind="primary" onClick={retry}>{m.error.reload}</Button>
      </Empty>
    ) : (
      <Skeleton height={320} />
    );
  if (unloaded) return <Empty icon={IconWifiOff} heading="h1" title={m.error.pageAway}><p>{m.error.pageAwayHelp}</p></Empty>;
  return <Failure error={error} retry={retry} />;
}

/** Calls when the server answers again. */
function useBack(back: () => void) {
  const away = useAway();
  const wasAway = useRef(false);
  const call = useEffectEvent(back);
  useEffect(() => {
    if (wasAway.current && !away) call();
    wasAway.current = away;
  }, [away]);
}

/** Shown instead of the whole dashboard when the projects could not be loaded. */
export function AppFailure(props: ErrorComponentProps) {
  return <main className="main"><PageFailure {...props} /></main>;
}
