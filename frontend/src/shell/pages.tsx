import { Link, type ErrorComponentProps, useRouter } from '@tanstack/react-router';
import { IconCompass } from '@tabler/icons-react';
import { useTitle } from '../hooks';
import { m } from '../messages';
import { Button, Empty, Failure } from '../ui';

export function NotFound() {
  useTitle(m.error.notFound);
  return (
    <Empty icon={IconCompass} heading="h1" title={m.error.notFound}>
      <p>{m.error.notFoundHelp}</p>
      <Link className="button primary" to="/">{m.error.home}</Link>
    </Empty>
  );
}

/** Shown instead of a page that failed to load or threw. */
export function PageFailure({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  // The files of an earlier build are gone once a new one is installed: only a reload finds the new ones.
  const outdated = error instanceof TypeError && /import|module/i.test(error.message);
  if (outdated)
    return (
      <Empty icon={IconCompass} heading="h1" title={m.error.version}>
        <Button kind="primary" onClick={() => location.reload()}>{m.error.reload}</Button>
      </Empty>
    );
  return (
    <Failure
      error={error}
      retry={() => {
        reset();
        void router.invalidate();
      }}
    />
  );
}

/** Shown instead of the whole dashboard when the projects could not be loaded. */
export function AppFailure(props: ErrorComponentProps) {
  return <main className="main"><PageFailure {...props} /></main>;
}
