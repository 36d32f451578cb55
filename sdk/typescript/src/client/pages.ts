import { listEvents } from '../gen/index.js';
import type { EventPage, ListEventsData, Options } from '../gen/index.js';

/** A page of a list. */
interface Page {
  items: unknown[];
  next_cursor: string | null;
}

/** An operation that answers with pages, such as `listEvents`. */
// eslint-disable-next-line typescript/no-explicit-any -- each list has options of its own, and this must fit them all
type List = (options: any) => PromiseLike<{ data: Page | undefined }>;

type ItemOf<L extends List> = NonNullable<Awaited<ReturnType<L>>['data']>['items'][number];

/**
 * Every item of a list, page after page, each fetched when the one before is used up:
 *
 * ```ts
 * for await (const event of items(listEvents, { client, query: { project_id, name: ['signed_up'] } })) …
 * ```
 */
export async function* items<L extends List>(list: L, options: Parameters<L>[0]): AsyncGenerator<ItemOf<L>, void, void> {
  for await (const page of pages(list, options)) yield* page;
}

/** The pages themselves. */
export async function* pages<L extends List>(list: L, options: Parameters<L>[0]): AsyncGenerator<ItemOf<L>[], void, void> {
  for await (const page of answers(list, options)) yield page.items;
}

/**
 * The pages of an incremental export: the events of a project, each once, as they were received, until there are no more for now. Keep
 * the `resume_cursor` of a page once its events are dealt with, and give it as `query.cursor` to go on behind it, whenever that is.
 */
export function received(options: Options<ListEventsData>): AsyncGenerator<EventPage, void, void> {
  return answers(listEvents, { ...options, query: { ...options.query, order: 'received' } });
}

/** What the list answers, page after page. */
async function* answers<L extends List>(list: L, options: Parameters<L>[0]): AsyncGenerator<NonNullable<Awaited<ReturnType<L>>['data']>, void, void> {
  let { query } = (options ?? {}) as { query?: object };
  for (;;) {
    const { data } = await list({ ...options, throwOnError: true, query });
    if (!data) return;
    yield data;
    if (data.next_cursor === null) return;
    query = { ...query, cursor: data.next_cursor };
  }
}
