/** Asks the server: the answer to a question about behaviour, and the people behind one number of it. */
import {
  askFunnel, askLifecycle, askPaths, askPeople, askRetention, askSessions, askStickiness,
  type Coordinate, type FunnelAnswer, type Insight, type InsightMeta, type LifecycleAnswer, type NimbusError, type PathsAnswer, type PeopleAnswer, type PersonBehind, type RetentionAnswer, type SessionsAnswer, type StickinessAnswer,
} from '@nimbus-analytics/sdk';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';

export interface Answers {
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

type Ask = (options: { body: Insight & { project_id: string }; signal: AbortSignal; throwOnError: true }) => Promise<{ data: Answered['answer'] }>;
/** Each operation takes its own question and gives its own answer; a question goes to the one of its kind. */
const asks = { funnel: askFunnel, retention: askRetention, lifecycle: askLifecycle, stickiness: askStickiness, paths: askPaths, sessions: askSessions } as unknown as Record<Asked, Ask>;

export function useInsight(project_id: string, body: Insight, enabled: boolean) {
  const kind = body.kind as Asked;
  return useQuery<Answered, NimbusError>({
    queryKey: ['insight', project_id, body],
    queryFn: async ({ signal }) => ({ kind, answer: (await asks[kind]({ body: { project_id, ...body }, signal, throwOnError: true })).data }),
    // While the next answer loads the last one stays, unless it is one of another kind.
    placeholderData: (old) => (old?.kind === kind ? old : undefined),
    enabled,
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
