/** Text on a board. What renders Markdown is loaded with the first text that is shown. */
import { lazy, Suspense } from 'react';
import { Skeleton } from '../../ui';

const Markdown = lazy(() => import('./Markdown').then((m) => ({ default: m.Markdown })));

export function Words({ text }: { text: string }) {
  return (
    <div className="body words">
      <Suspense fallback={<Skeleton height={40} />}><Markdown text={text} /></Suspense>
    </div>
  );
}
