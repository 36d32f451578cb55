import type { ReactNode } from 'react';
import { m } from '../../messages';
import { Button, Failure, Skeleton } from '../../ui';

interface List<T> {
  data: { pages: readonly { items: readonly T[] }[] } | undefined;
  error: unknown;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  refetch: () => unknown;
  fetchNextPage: () => unknown;
}

/** A list in pages: while it loads, when it could not be loaded, as a table, and the button for more of it. */
export function Paged<T extends { id: string }>({ list, head, children }: { list: List<T>; head: readonly string[]; children: (item: T) => ReactNode }) {
  const items = list.data?.pages.flatMap((page) => page.items);
  if (!items) return <div className="body">{list.error ? <Failure error={list.error} retry={() => void list.refetch()} /> : <Skeleton height={160} />}</div>;
  return (
    <>
      <table className="table cards">
        <thead>
          <tr>
            {head.map((title) => (
              <th key={title}>{title}</th>
            ))}
            <th><span className="sr">{m.keys.actions}</span></th>
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.id}>{children(item)}</tr>
          ))}
        </tbody>
      </table>
      {list.hasNextPage && <div className="body"><Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{m.instance.more}</Button></div>}
    </>
  );
}
