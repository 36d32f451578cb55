/** Asks the server: the answer to a question about behaviour, and the people behind one number of it. */
import {
  askFunnel, askLifecycle, askPaths, askPeople, askRetention, askSessions, askStickiness, askTrends,
  type Coordinate, type FunnelAnswer, type Insight, type InsightMeta, type LifecycleAnswer, type NimbusError, type PathsAnswer, type PeopleAnswer, type PersonBehind, type RetentionAnswer, type SessionsAnswer, type StickinessAnswer, type TrendsAnswer,
} from '@nimbus-analytics/sdk';
import { queryOptions, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { serverTime } from '../api';
import { parts, type Span } from './against';

/** Trends, with those of the range that they are compared with, and two totals of equally long parts of both. */
export interface Trended extends TrendsAnswer {
  before?: TrendsAnswer;
  pair?: { now: TrendsAnswer; before: TrendsAnswer; until?: string };
}
export interface Answers {
  trends: Trended;
  funnel: FunnelAnswer;
  retention: RetentionAnswer;
  lifecycle: LifecycleAnswer;
  stickiness: StickinessAnswer;
  paths: PathsAnswer;
  sessions: SessionsAnswer;
}
export type Asked = keyof Answers;
export interface Answered {
  kind: Asked;
  answer: Answers[Asked] & { meta: InsightMeta };
}

type Body = Insight & { project_id: string };
type Ask = (options: { body: Body; signal: AbortSignal; throwOnError: true }) => Promise<{ data: Answered['answer'] }>;
/** Each operation takes its own question and gives its own answer; a question goes to the one of its kind. */
const asks = { trends: askTrends, funnel: askFunnel, retention: askRetention, lifecycle: askLifecycle, stickiness: askStickiness, paths: askPaths, sessions: askSessions } as unknown as Record<Asked, Ask>;

/** A range that is still running is compared up to now: the whole of the one before would always be more. */
async function compared(ask: (span: Span) => Promise<TrendsAnswer>, now: Trended, asked: Span, before: Span, tz: string): Promise<Trended> {
  const running = now.meta.incomplete_from === undefined ? undefined : parts(asked, before, serverTime(Date.now()), tz);
  // All at once: one that is left alone while another fails would fail for itself, and nobody would know of it.
  const [earlier, a, b] = await Promise.all([ask(before), running && ask(running.now), running && ask(running.before)]);
  return { ...now, before: earlier, pair: running && a && b ? { now: a, before: b, until: running.now.to } : { now, before: earlier } };
}

/** The answer to a question; of trends with that for another range beside it. */
export const insightOptions = (project_id: string, body: Insight, against?: Span) =>
  queryOptions<Answered, NimbusError>({
    queryKey: ['insight', project_id, body, against],
    queryFn: async ({ signal }) => {
      const kind = body.kind as Asked;
      const ask = async (span: Partial<Span>) => (await asks[kind]({ body: { project_id, ...body, ...span }, signal, throwOnError: true })).data;
      const answer = await ask({});
      return { kind, answer: against ? await compared(ask as (span: Span) => Promise<TrendsAnswer>, answer as Trended, body as Span, against, body.tz ?? 'UTC') : answer };
    },
  });

export function useInsight(project_id: string, body: Insight, against?: Span, options: { enabled?: boolean; refetchInterval?: number } = {}) {
  return useQuery({
    ...insightOptions(project_id, body, against),
    // While the next answer loads the last one stays, unless it is one of another kind.
    placeholderData: (old: Answered | undefined) => (old?.kind === body.kind ? old : undefined),
    ...options,
  });
}

/** The people behind a number, page by page; with the `as_of` of the answer they are those of the number. */
export function usePeopleBehind(project_id: string, question: Insight, at: Coordinate) {
  return useInfiniteQuery<PeopleAnswer, NimbusError, { pages: PeopleAnswer[] }, unknown[], string | undefined>({
    queryKey: ['people behind', project_id, question, at],
    queryFn: async ({ pageParam, signal }) => (await askPeople({ body: { project_id, question, at, ...(pageParam && { cursor: pageParam }) }, signal, throwOnError: true })).data,
    initialPageParam: undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

/** All of them, up to so many. */
export async function everyoneBehind(project_id: string, question: Insight, at: Coordinate, most: number): Promise<PersonBehind[]> {
  const all: PersonBehind[] = [];
  let cursor: string | null = null;
  do {
    const { data }: { data: PeopleAnswer } = await askPeople({ body: { project_id, question, at, limit: 1000, ...(cursor !== null && { cursor }) }, throwOnError: true });
    all.push(...data.items);
    cursor = data.next_cursor;
  } while (cursor !== null && all.length < most);
  return all;
}
