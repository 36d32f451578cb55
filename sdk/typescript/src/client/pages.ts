/** A page of a list. */
interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

type Query = Record<string, unknown> & { cursor?: string };

/**
 * Every item of a list, page after page, each fetched when the one before is used up:
 *
 * ```ts
 * for await (const event of items(listEvents, { client, query: { project_id, name: ['signed_up'] } })) …
 * ```
 */
export async function* items<Item, Options extends { query?: object }>(
  list: (options: Options) => PromiseLike<{ data: Page<Item> | undefined }>,
  options: Options,
): AsyncGenerator<Item, void, void> {
  for await (const page of pages(list, options)) yield* page;
}

/** The pages themselves. */
export async function* pages<Item, Options extends { query?: object }>(
  list: (options: Options) => PromiseLike<{ data: Page<Item> | undefined }>,
  options: Options,
): AsyncGenerator<Item[], void, void> {
  let query = options.query as Query | undefined;
  for (;;) {
    const { data } = await list({ ...options, throwOnError: true, query });
    if (!data) return;
    yield data.items;
    if (data.next_cursor === null) return;
    query = { ...query, cursor: data.next_cursor };
  }
}
